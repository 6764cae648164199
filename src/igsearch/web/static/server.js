// Talking to the server that sent this page; no other address is ever asked.

const API = "/api/v2";

/** Why there is no answer, in words for the user. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.name = "ServerError";
    this.status = status;
  }
}

async function ask(path, signal) {
  let response;
  try {
    response = await fetch(`${API}${path}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer: is igsearch serve still running?", 0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || answer === null) throw new ServerError(answer?.error ?? `The server answered with status ${response.status}.`, response.status);
  return answer;
}

/** What is indexed: a list of {profile, photos, …}. */
export const profiles = async (signal) => (await ask("/profiles", signal)).profiles;

/** A page of the answer: {total, results, …}. */
export function search({ q, profile, since, until, min, sort }, { offset, n }, signal) {
  const given = new URLSearchParams({ profiles: profile, q: q.trim(), n, offset });
  if (sort !== "score") given.set("sort", sort);
  if (since) given.set("since", since);
  if (until) given.set("until", until);
  if (min) given.set("min_score", min);
  return ask(`/search?${given}`, signal);
}

/** Everything known of one photo. */
export const photo = ({ profile, id }, signal) => ask(`/photos/${encodeURIComponent(profile)}/${encodeURIComponent(id)}`, signal);
