// What is shown as text: captions with the query's words set off, days, numbers, and ideas for a query.

const WORD = /[\p{L}\p{N}_][\p{L}\p{M}\p{N}_]*/gu;

/** The caption as nodes, the words that the query met in <mark>. */
export function marked(caption, matched) {
  const wanted = new Set(matched);
  const nodes = [];
  let end = 0;
  for (const word of wanted.size ? caption.matchAll(WORD) : []) {
    if (!wanted.has(word[0])) continue;
    const mark = document.createElement("mark");
    mark.textContent = word[0];
    nodes.push(caption.slice(end, word.index), mark);
    end = word.index + word[0].length;
  }
  nodes.push(caption.slice(end));
  return nodes;
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const COUNT = new Intl.NumberFormat();
const SHORT_COUNT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const SHARE = new Intl.NumberFormat(undefined, { style: "percent" });

/** The day of an ISO 8601 time as people write it; "" for none. */
export function day(iso) {
  const moment = new Date(iso ?? NaN);
  return Number.isNaN(moment.valueOf()) ? "" : DAY.format(moment);
}

export const count = (n) => COUNT.format(n);
export const shortCount = (n) => SHORT_COUNT.format(n);
export const share = (part) => SHARE.format(part);
export const photos = (n) => `${count(n)} ${n === 1 ? "photo" : "photos"}`;

const COMMON = new Set(
  ("a an and are as at back be behind being by down each for four from front group has have her hers him his holding in into is it its large looking man men " +
    "near next of off on one or other out over people person photo picture several show side small some stand standing that the their them there they three " +
    "through to together top two under up view walking wearing while with woman women") .split(" "),
);

/** Words and pairs of words that these captions use most, as ideas for a query; at most `n`. */
export function suggestions(captions, n = 6) {
  const uses = new Map();
  for (const caption of captions) {
    const words = caption.toLowerCase().match(WORD) ?? [];
    const said = new Set();
    words.forEach((word, place) => {
      if (COMMON.has(word) || word.length < 3) return;
      said.add(word);
      const next = words[place + 1];
      if (next && next.length > 2 && !COMMON.has(next)) said.add(`${word} ${next}`);
    });
    for (const phrase of said) uses.set(phrase, (uses.get(phrase) ?? 0) + 1);
  }
  const worth = ([phrase, times]) => times * (phrase.includes(" ") && times > 1 ? 2.5 : 1);
  const chosen = [];
  for (const [phrase] of [...uses].sort((one, other) => worth(other) - worth(one))) {
    if (chosen.length === n) break;
    const words = phrase.split(" ");
    if (!chosen.some((other) => other.split(" ").some((word) => words.includes(word)))) chosen.push(phrase);
  }
  return chosen;
}
