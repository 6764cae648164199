// The page: the address bar says what is asked for, the server answers, the grid and the viewer show it.

import { addressOf, question, readAddress } from "./address.js";
import { el } from "./dom.js";
import { Grid, keyOf } from "./grid.js";
import * as server from "./server.js";
import { Viewer } from "./viewer.js";
import { photos, share, suggestions } from "./words.js";

const PAGE = 60; // photos asked for at first, to be there at once
const NEXT_PAGE = 180; // and as one scrolls on
const TYPING_PAUSE = 200; // ms
const PATIENCE = 150; // ms until waiting is shown: most answers are quicker
const N_SKELETONS = 24;
const EVERY_PROFILE = "@all";

const at = (id) => document.getElementById(id);
const controls = Object.fromEntries(["query", "profile", "since", "until", "min", "sort"].map((id) => [id, at(id)]));

let state = readAddress();
let profiles = [];
let hits = [];
let total = 0;
let offset = 0; // of the next page
let asked = null; // the question whose answer is shown or on its way
let request = new AbortController();
let isTyping = false; // this entry of the history was made by typing: what follows replaces it
let typed = 0;
let example = "";
const ideas = new Map(); // profile: suggested queries

const grid = new Grid(at("grid"), { onOpen: (index) => go({ photo: spot(hits[index]) }, { opened: true }), onLeave: () => controls.query.focus() });
const viewer = new Viewer(at("viewer"), { onStep: step, onClose: closed });
const spot = ({ profile, id }) => ({ profile, id });

/** Change what is asked for or shown, and the address with it. */
function go(change, { replace = false, opened = false } = {}) {
  state = { ...state, ...change };
  const entry = replace ? history.state : { opened };
  history[replace ? "replaceState" : "pushState"](entry, "", addressOf(state));
  show();
}

/** Make the page what the state says. */
function show() {
  showControls();
  if (question(state) !== asked) ask();
  if (state.photo) open(state.photo);
  else if (at("viewer").open) viewer.close();
}

function showControls() {
  const isBrowsing = !state.q.trim();
  if (controls.query.value.trim() !== state.q.trim()) controls.query.value = state.q;
  for (const name of ["since", "until", "min"]) controls[name].value = state[name] || (name === "min" ? 0 : "");
  for (const option of controls.sort.options) option.disabled = isBrowsing && option.value === "score";
  controls.sort.value = isBrowsing && state.sort === "score" ? "date" : state.sort;
  controls.profile.value = state.profile;
  controls.min.disabled = isBrowsing;
  at("min-shown").value = state.min ? share(state.min) : "any";
  const n = [state.since, state.until, state.min].filter(Boolean).length;
  at("filters-count").textContent = n || "";
  at("filters-count").hidden = !n;
  at("filters-clear").disabled = !n;
  document.title = [state.q.trim(), state.profile === EVERY_PROFILE ? "" : state.profile, "igsearch"].filter(Boolean).join(" · ");
}

/** Ask for the first page of the answer; an older question still on its way is dropped. */
async function ask() {
  asked = question(state);
  request.abort();
  const { signal } = (request = new AbortController());
  const wanted = { ...state };
  const patience = setTimeout(() => grid.wait(N_SKELETONS), hits.length || !at("notice").hidden ? PATIENCE : 0);
  try {
    const answer = await server.search(forServer(wanted), { offset: 0, n: PAGE }, signal);
    if (!signal.aborted) showAnswer(answer, wanted);
  } catch (error) {
    if (!signal.aborted) showError(error, ask);
  } finally {
    clearTimeout(patience);
  }
}

const forServer = (wanted) => (wanted.q.trim() ? wanted : { ...wanted, min: 0, sort: wanted.sort === "score" ? "date" : wanted.sort });

function showAnswer(answer, wanted) {
  hits = answer.results;
  total = answer.total;
  offset = hits.length;
  grid.show(hits, wanted);
  window.scrollTo(0, 0);
  watchTheEnd();
  if (!wanted.q.trim()) learn(wanted.profile, answer.results);
  const found = wanted.q.trim() ? `${photos(total)} ${total === 1 ? "matches" : "match"}` : photos(total);
  say(total ? found : "No photo found");
  showSuggestions(wanted.q.trim() ? [] : ideas.get(wanted.profile) ?? []);
  showRemarks(total ? answer.remarks : []);
  if (total) notice();
  else showEmpty(wanted, answer.remarks);
  if (state.photo) open(state.photo);
}

const showRemarks = (remarks) => at("remarks").replaceChildren(...remarks.map((remark) => el("li", {}, remark)));

const say = (words) => (at("status").textContent = words);

function learn(profile, results) {
  if (!ideas.has(profile)) ideas.set(profile, suggestions(results.map((hit) => hit.caption)));
  example = ideas.get(profile)[0] ?? "";
  controls.query.placeholder = example ? `Try “${example}”` : "What does the photo show?";
}

/** The next page, once the end of what is there comes near. */
let isLoading = false;
async function more() {
  if (isLoading || offset >= total || question(state) !== asked) return;
  isLoading = true;
  const { signal } = request;
  const wanted = { ...state };
  try {
    const answer = await server.search(forServer(wanted), { offset, n: NEXT_PAGE }, signal);
    if (signal.aborted) return;
    const known = new Set(hits.map(keyOf)); // photos indexed meanwhile shift the pages
    const fresh = answer.results.filter((hit) => !known.has(keyOf(hit)));
    offset = answer.results.length ? offset + answer.results.length : total;
    hits.push(...fresh);
    grid.append(fresh, wanted);
    at("more").replaceChildren();
    if (state.photo) open(state.photo);
  } catch (error) {
    if (!signal.aborted) at("more").replaceChildren(el("p", {}, error.message), button("Try again", more));
    return;
  } finally {
    isLoading = false;
  }
  watchTheEnd();
}

const end = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), { rootMargin: "1500px" });

/** Ask for more when the end comes near. An observer speaks only of changes: begun anew, it also tells that the end still is near. */
function watchTheEnd() {
  end.unobserve(at("more"));
  end.observe(at("more"));
}

async function open(photo) {
  const index = hits.findIndex((hit) => keyOf(hit) === keyOf(photo));
  if (index >= 0) {
    viewer.show(hits[index], { before: index > 0, after: index < hits.length - 1 });
    if (index > hits.length - 10) more();
    if (viewer.isComplete(hits[index])) return;
  } else if (at("grid").querySelector(".skeleton") || isLoading) return; // it may come with the answer
  try {
    const record = await server.photo(photo);
    if (keyOf(state.photo ?? {}) !== keyOf(photo)) return;
    if (index >= 0) viewer.complete(hits[index], record);
    else viewer.show(record, { before: false, after: false });
    if (index < 0) viewer.complete(record, record);
  } catch (error) {
    if (index < 0 && keyOf(state.photo ?? {}) === keyOf(photo)) viewer.fail(error.message);
  }
}

function step(by) {
  const index = hits.findIndex((hit) => keyOf(hit) === keyOf(state.photo ?? {}));
  const next = index < 0 ? undefined : hits[index + by];
  if (next) go({ photo: spot(next) }, { replace: true });
}

/** The viewer was closed: with Escape, its button, or by the browser's own back button, which has changed the state already. */
function closed() {
  if (!state.photo) return;
  const index = hits.findIndex((hit) => keyOf(hit) === keyOf(state.photo));
  if (history.state?.opened) history.back();
  else go({ photo: null }, { replace: true });
  if (index >= 0) grid.focus(index);
}

function notice(...content) {
  at("notice").replaceChildren(...content.flat().filter(Boolean));
  at("notice").hidden = !content.length;
}

const button = (words, onclick) => el("button", { class: "plain", type: "button", onclick }, words);

function showSuggestions(phrases) {
  at("suggestions").replaceChildren(...phrases.map((phrase) => el("li", {}, button(phrase, () => go({ q: phrase })))));
}

async function showEmpty(wanted, remarks) {
  const isFiltered = wanted.since || wanted.until || wanted.min;
  const found = wanted.q.trim() ? `Nothing matches “${wanted.q.trim()}”` : "No photo lies here";
  const elsewhere = profiles.length > 1 && wanted.profile !== EVERY_PROFILE;
  const list = el("ul", { class: "suggestions" });
  notice(
    el("h2", {}, found),
    el("p", {}, "Use the words that a caption would use: people, animals, things, places, colours."),
    ...remarks.map((remark) => el("p", {}, remark)),
    list,
    el(
      "p",
      { class: "actions" },
      ...[
        isFiltered ? button("Clear filters", clearFilters) : null,
        elsewhere ? button("Look in all profiles", () => go({ profile: EVERY_PROFILE })) : null,
        wanted.q.trim() ? button("See all photos", () => go({ q: "" })) : null,
      ].filter(Boolean),
    ),
  );
  if (!wanted.q.trim()) return;
  if (!ideas.has(wanted.profile)) {
    const all = { ...wanted, q: "", since: "", until: "", min: 0, sort: "date" };
    const answer = await server.search(all, { offset: 0, n: PAGE }, request.signal).catch(() => null);
    if (!answer) return;
    learn(wanted.profile, answer.results);
  }
  list.replaceChildren(...ideas.get(wanted.profile).map((phrase) => el("li", {}, button(phrase, () => go({ q: phrase })))));
}

function showError(error, retry) {
  hits = [];
  total = offset = 0;
  asked = null;
  grid.show([], state);
  showSuggestions([]);
  showRemarks([]);
  say("No answer");
  notice(el("h2", {}, "That did not work"), el("p", { class: "said", role: "alert" }, error.message), el("p", { class: "actions" }, button("Try again", retry)));
}

function showNothingIndexed() {
  say("Nothing is indexed yet");
  grid.show([], state);
  notice(
    el("h2", {}, "No photos yet"),
    el("p", {}, "Describe an Instagram profile, or a folder of your own photos, on a terminal:"),
    el("pre", {}, el("code", {}, "igsearch index natgeotravel --limit 200\nigsearch index holiday --from ~/Pictures")),
    el("p", { class: "actions" }, button("Look again", start)),
  );
}

function showProfiles() {
  const entries = profiles.map((one) => [one.profile, one.profile]);
  if (profiles.length > 1) entries.push([EVERY_PROFILE, "all profiles"]);
  if (!entries.some(([name]) => name === state.profile)) entries.push([state.profile, state.profile]);
  controls.profile.replaceChildren(...entries.map(([value, words]) => el("option", { value }, words)));
}

const clearFilters = () => go({ since: "", until: "", min: 0 });

/** Take what is typed as the query. The first change makes an entry of the history, those that follow at once replace it. */
function type() {
  clearTimeout(typed);
  const q = controls.query.value;
  if (q.trim() === state.q.trim()) return;
  go({ q, photo: null }, { replace: isTyping });
  isTyping = true;
}

function listen() {
  controls.query.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(type, TYPING_PAUSE);
  });
  controls.query.addEventListener("change", () => {
    type();
    isTyping = false;
  });
  controls.query.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && grid.focus()) event.preventDefault();
  });
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!controls.query.value.trim() && !state.q.trim()) controls.query.value = example;
    type();
    isTyping = false;
  });
  controls.profile.addEventListener("change", () => go({ profile: controls.profile.value }));
  controls.sort.addEventListener("change", () => go({ sort: controls.sort.value }));
  for (const name of ["since", "until"]) controls[name].addEventListener("change", () => go({ [name]: controls[name].value }));
  controls.min.addEventListener("input", () => (at("min-shown").value = controls.min.valueAsNumber ? share(controls.min.valueAsNumber) : "any"));
  controls.min.addEventListener("change", () => go({ min: controls.min.valueAsNumber }));
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters-clear").addEventListener("click", clearFilters);
  at("filters-button").addEventListener("click", () => showFilters(at("filters").hidden));
  addEventListener("popstate", () => {
    clearTimeout(typed);
    state = withProfile(readAddress());
    isTyping = false;
    show();
  });
  addEventListener("keydown", shortcut);
}

function showFilters(isShown) {
  at("filters").hidden = !isShown;
  at("filters-button").setAttribute("aria-expanded", isShown);
}

/** `/` goes to the query from anywhere; the arrow keys go to the photos where nothing else has the focus. */
function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("viewer").open || event.target.closest?.("input, select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    controls.query.focus();
    controls.query.select();
  } else if (event.target === document.body && event.key.startsWith("Arrow") && hits.length && scrollY === 0) {
    event.preventDefault();
    grid.focus();
  }
}

const withProfile = (asked) => ({ ...asked, profile: asked.profile || profiles.find((one) => !one.problem)?.profile || EVERY_PROFILE });

async function start() {
  notice();
  grid.wait(N_SKELETONS);
  try {
    profiles = await server.profiles();
  } catch (error) {
    return showError(error, start);
  }
  if (!profiles.length) return showNothingIndexed();
  state = withProfile(state);
  showProfiles();
  showFilters(Boolean(state.since || state.until || state.min));
  show();
}

listen();
start();
