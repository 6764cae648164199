// The photos found, as cards in a grid. One of them is a tab stop; the arrow keys move between them.

import { addressOf } from "./address.js";
import { el, icon } from "./dom.js";
import { day, marked, shortCount } from "./words.js";

/** What a photo is known by on this page. */
export const keyOf = ({ profile, id }) => `${profile}/${id}`;

const STEPS = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: (columns) => -columns, ArrowDown: (columns) => columns };

export class Grid {
  #list;
  #cards = [];
  #pictures = new Map();
  #current = 0;
  #onLeave;

  /** Cards in `list`; `onOpen(index)` when one is chosen, `onLeave()` when somebody moves up from the first row. */
  constructor(list, { onOpen, onLeave }) {
    this.#list = list;
    this.#onLeave = onLeave;
    list.addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (!card || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.#current = this.#cards.indexOf(card);
      onOpen(this.#current);
    });
    list.addEventListener("focusin", (event) => this.#makeTabStop(this.#cards.indexOf(event.target.closest(".card"))));
    list.addEventListener("keydown", (event) => this.#move(event));
    // Cards out of sight are not laid out (content-visibility): what they take up is what the first one does.
    new ResizeObserver(() => this.#measure()).observe(list);
  }

  /** How many columns the width has room for. */
  get columns() {
    return getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
  }

  /** Show these photos in place of what is there. Pictures that stay are kept, so that they do not flicker while somebody types. */
  show(hits, state) {
    const before = this.#pictures;
    this.#pictures = new Map();
    this.#cards = [];
    this.#current = 0;
    this.#list.classList.remove("waiting");
    this.#list.replaceChildren();
    this.append(hits, state, before);
    this.#measure();
  }

  /** Add photos at the end. */
  append(hits, state, before = new Map()) {
    const cards = hits.map((hit) => this.#card(hit, state, before.get(keyOf(hit))));
    this.#cards.push(...cards);
    this.#list.append(...cards);
    this.#makeTabStop(this.#current);
  }

  /** Show that an answer is on its way: what is there fades; where nothing is, `n` empty cards stand. */
  wait(n) {
    this.#list.classList.add("waiting");
    if (this.#cards.length) return;
    const empty = () => el("li", { class: "card skeleton", "aria-hidden": "true" }, el("div", { class: "frame" }), el("p", { class: "caption" }), el("p", { class: "meta" }));
    this.#list.replaceChildren(...Array.from({ length: n }, empty));
  }

  /** Put the focus on a photo, the current one if none is named; whether there is one. */
  focus(index = this.#current) {
    const card = this.#cards[index];
    card?.querySelector("a").focus();
    card?.scrollIntoView({ block: "nearest" });
    return Boolean(card);
  }

  #move(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const last = this.#cards.length - 1;
    const from = this.#current;
    let to = { Home: 0, End: last }[event.key] ?? from + (STEPS[event.key]?.(this.columns) ?? NaN);
    if (Number.isNaN(to)) return;
    event.preventDefault();
    if (to < 0 && event.key === "ArrowUp") return this.#onLeave();
    if (to > last && event.key === "ArrowDown" && Math.floor(from / this.columns) < Math.floor(last / this.columns)) to = last;
    if (to >= 0 && to <= last) this.focus(to);
  }

  #makeTabStop(index) {
    if (index < 0) return;
    const stop = (at, tabIndex) => this.#cards[at]?.querySelector("a").setAttribute("tabindex", tabIndex);
    stop(this.#current, -1);
    this.#current = index;
    stop(index, 0);
  }

  #measure() {
    const height = this.#cards[0]?.offsetHeight;
    if (height) this.#list.style.setProperty("--card-height", `${height}px`);
  }

  #card(hit, state, picture) {
    const link = el("a", { class: "frame", href: addressOf({ ...state, photo: hit }), tabIndex: -1 });
    this.#fill(link, hit, picture);
    const facts = [
      hit.taken_at && el("time", { dateTime: hit.taken_at }, day(hit.taken_at)),
      Number.isFinite(hit.likes) && hit.likes !== null ? el("span", { class: "likes" }, icon("heart"), el("span", { class: "unseen" }, "Likes: "), shortCount(hit.likes)) : null,
      state.profile === "@all" || state.profile.includes(",") ? el("span", { class: "owner" }, hit.profile) : null,
    ];
    return el(
      "li",
      { class: "card" },
      link,
      el("p", { class: "caption", dir: "auto", "aria-hidden": "true" }, el("span", {}, ...marked(hit.caption, hit.matched ?? []))),
      el("p", { class: "meta" }, ...facts.filter(Boolean)),
    );
  }

  #fill(link, hit, picture) {
    const badge = hit.is_video ? "video" : hit.n_slides > 1 ? "stack" : null;
    const blank = () => {
      link.classList.add("blank");
      link.setAttribute("aria-label", hit.caption);
      link.replaceChildren(icon("picture"));
    };
    if (!hit.thumbnail) return blank();
    const image = picture ?? el("img", { alt: hit.caption, width: 320, height: 320, loading: "lazy", decoding: "async", draggable: false });
    image.onload = () => image.classList.add("there");
    image.onerror = blank;
    if (!picture) image.src = hit.thumbnail;
    this.#pictures.set(keyOf(hit), image);
    link.replaceChildren(image, ...(badge ? [el("span", { class: "kind" }, icon(badge))] : []));
  }
}
