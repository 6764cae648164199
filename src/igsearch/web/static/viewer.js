// One photo, large, with all that is known of it.

import { el, icon, outside } from "./dom.js";
import { count, day, marked, share } from "./words.js";

const SWIPE = 60; // px
const ENLARGED = 2; // times its own pixels: a small picture gets no larger

export class Viewer {
  #dialog;
  #stage = el("div", { class: "stage" });
  #panel = el("div", { class: "panel" });
  #before;
  #after;
  #shown = null;
  #isComplete = false;

  /** In `dialog`; `onStep(±1)` when somebody wants the next photo or the one before, `onClose()` when it was closed in whatever way. */
  constructor(dialog, { onStep, onClose }) {
    this.#dialog = dialog;
    this.#before = el("button", { class: "round before", type: "button", "aria-label": "Previous photo", onclick: () => onStep(-1) }, icon("before"));
    this.#after = el("button", { class: "round after", type: "button", "aria-label": "Next photo", onclick: () => onStep(1) }, icon("after"));
    const close = el("button", { class: "round close", type: "button", "aria-label": "Close", autofocus: true, onclick: () => dialog.close() }, icon("close"));
    dialog.append(this.#stage, this.#panel, this.#before, this.#after, close);
    dialog.addEventListener("close", onClose);
    dialog.addEventListener("click", (event) => (event.target === dialog || event.target === this.#stage) && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      onStep(step);
    });
    this.#swipe(onStep);
  }

  /** Show a photo, `hit` as the search gave it; `before` and `after` say whether there are neighbours. */
  show(hit, { before, after }) {
    this.#before.disabled = !before;
    this.#after.disabled = !after;
    if (this.#shown !== hit) {
      this.#shown = hit;
      this.#isComplete = false;
      this.#stage.replaceChildren(this.#picture(hit));
      this.#panel.replaceChildren(...details(hit));
      this.#panel.scrollTop = 0;
    }
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** Whether this photo is shown with everything that is known of it. */
  isComplete(hit) {
    return this.#shown === hit && this.#isComplete;
  }

  /** Add what only the photo's own record tells: the runners-up. */
  complete(hit, record) {
    if (this.#shown !== hit || this.#isComplete) return;
    this.#isComplete = true;
    const others = runnersUp(record.alternatives, hit.caption);
    if (others) this.#panel.querySelector(".facts").before(others);
  }

  /** Show words in place of a photo. */
  fail(message) {
    this.#shown = null;
    this.#before.disabled = this.#after.disabled = true;
    this.#stage.replaceChildren(icon("picture"));
    this.#panel.replaceChildren(el("h2", { id: "viewer-caption" }, message));
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    this.#shown = null;
    this.#dialog.close();
  }

  /** The thumbnail at once; the picture itself, where it is here, as soon as it is loaded. */
  #picture(hit) {
    if (!hit.thumbnail && !hit.picture) return icon("picture");
    const image = el("img", { alt: hit.caption, src: hit.thumbnail ?? hit.picture, draggable: false });
    image.onerror = () => image.replaceWith(icon("picture"));
    if (hit.picture && hit.thumbnail) {
      const large = el("img", { src: hit.picture });
      large.decode().then(
        () => {
          image.src = hit.picture;
          image.classList.add("large");
          image.style.maxWidth = `${ENLARGED * large.naturalWidth}px`;
          image.style.maxHeight = `${ENLARGED * large.naturalHeight}px`;
        },
        () => {}, // the thumbnail stays
      );
    }
    return image;
  }

  #swipe(onStep) {
    let from = null;
    this.#stage.addEventListener("touchstart", (event) => (from = event.touches.length === 1 ? event.touches[0] : null), { passive: true });
    this.#stage.addEventListener("touchend", (event) => {
      const to = event.changedTouches[0];
      const [across, down] = from ? [to.clientX - from.clientX, to.clientY - from.clientY] : [0, 0];
      from = null;
      if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(down)) onStep(across < 0 ? 1 : -1);
    });
  }
}

function details(hit) {
  const post = hit.post_text?.trim();
  return [
    el("h2", { id: "viewer-caption", dir: "auto" }, ...marked(hit.caption || "No description", hit.matched ?? [])),
    facts(hit),
    post ? el("section", { class: "post" }, el("h3", {}, "Post"), el("p", { dir: "auto" }, post)) : null,
    hit.alt_text ? el("section", {}, el("h3", {}, "Instagram’s description"), el("p", { dir: "auto" }, hit.alt_text)) : null,
    chips("Things found", (hit.objects ?? []).map(thing)),
    chips("Looks like", (hit.labels ?? []).map((label) => [label.name, share(label.probability)])),
    el("p", { class: "links" }, ...links(hit)),
  ].filter(Boolean);
}

function facts(hit) {
  const rows = [
    ["Taken", hit.taken_at && el("time", { dateTime: hit.taken_at, title: hit.taken_at }, day(hit.taken_at))],
    ["Likes", Number.isFinite(hit.likes) && hit.likes !== null ? count(hit.likes) : null],
    ["Match", hit.score > 0 ? el("div", { class: "score" }, bar(hit.score), share(hit.score)) : null],
    ["Picture", hit.n_slides > 1 ? `${hit.slide} of ${hit.n_slides}` : null],
    ["Source", hit.is_gone ? "No longer has it" : null],
    ["Profile", hit.profile],
    ["File", (hit.member ?? hit.path)?.split(/[/\\]/).pop()],
  ];
  return el("dl", { class: "facts" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function bar(part) {
  const filled = el("div");
  filled.style.width = `${100 * part}%`;
  return el("div", { class: "bar-of" }, filled);
}

function runnersUp(alternatives, caption) {
  const others = (alternatives ?? []).map((one) => one.caption).filter((words, place, all) => words !== caption && all.indexOf(words) === place);
  return others.length ? el("section", { class: "others" }, el("h3", {}, "Other readings"), el("ul", {}, ...others.map((words) => el("li", { dir: "auto" }, words)))) : null;
}

const thing = ({ name, count: times, score }) => [times > 1 ? `${times} × ${name}` : name, score === null || score === undefined ? null : share(score)];

function chips(title, entries) {
  if (!entries.length) return null;
  const chip = ([name, note]) => el("li", {}, name, note ? el("small", {}, note) : null);
  return el("section", {}, el("h3", {}, title), el("ul", { class: "chips" }, ...entries.map(chip)));
}

function links(hit) {
  return [outside(hit.permalink, "See the post on Instagram"), hit.permalink ? null : outside(hit.url, "See the original")].filter(Boolean);
}
