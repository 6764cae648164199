// The address bar holds what is asked for and which photo is open, so that a search can be linked to, and the browser's buttons work.

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const SORTS = ["score", "date", "likes"];

/** What the address asks for: {q, profile, since, until, min, sort, photo}; `photo` is {profile, id} or null, anything unreadable counts as absent. */
export function readAddress(search = location.search) {
  const given = new URLSearchParams(search);
  const text = (name) => given.get(name) ?? "";
  const min = Number.parseFloat(text("min"));
  const [owner, ...id] = text("photo").split("/");
  return {
    q: text("q").slice(0, 500),
    profile: text("profile"),
    since: DAY.test(text("since")) ? text("since") : "",
    until: DAY.test(text("until")) ? text("until") : "",
    min: min > 0 && min <= 1 ? min : 0,
    sort: SORTS.includes(text("sort")) ? text("sort") : "score",
    photo: owner && id.length ? { profile: owner, id: id.join("/") } : null,
  };
}

/** The address of a state: what is as usual is left out. */
export function addressOf({ q, profile, since, until, min, sort, photo }) {
  const given = new URLSearchParams();
  const usual = { sort: "score" };
  for (const [name, value] of Object.entries({ q, profile, since, until, min: min || "", sort })) if (value && value !== usual[name]) given.set(name, value);
  if (photo) given.set("photo", `${photo.profile}/${photo.id}`);
  return given.size ? `?${given}` : location.pathname;
}

/** What decides which photos are found, as one text: equal texts, equal answers. */
export const question = ({ q, profile, since, until, min, sort }) => JSON.stringify([q.trim(), profile, since, until, min, sort]);
