// What is shown as text: captions with the query's words set off, days, numbers, and ideas for a query.

// What can match: words, emoji, and runs of scripts without blanks between words, told apart as igsearch/text.py does it.
const { raw } = String;
const letters = (...scripts) => raw`(?=[\p{L}\p{Nl}])[${scripts.map((script) => raw`\p{scx=${script}}`).join("")}]`;
const IDEOGRAPH = letters("Han", "Hiragana", "Katakana", "Bopomofo", "Hangul");
const ALPHABET = letters("Thai", "Lao", "Khmer", "Myanmar", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Javanese", "Balinese");
const INVISIBLE = raw`\u00ad\u200c\u200d\u2060\ufeff`;
const run = (letter) => raw`(?:${letter}[\p{M}\u200b${INVISIBLE}]*)+`;
const LETTER = raw`(?!${IDEOGRAPH}|${ALPHABET})[\p{L}\p{N}_]`;
const WORD = raw`${LETTER}(?:${LETTER}|[\p{M}${INVISIBLE}])*`;
const PICTURE = raw`[\p{Extended_Pictographic}\p{So}][\p{M}\p{Emoji_Modifier}\u{e0020}-\u{e007f}]*`;
const EMOJI = raw`\p{Regional_Indicator}{2}|${PICTURE}(?:\u200d${PICTURE})*`;
const MARKER = "<(?:[sS][tT][aA][rR][tT]|[eE][nN][dD]|[pP][aA][dD]|[uU][nN][kK])>";
const UNITS = new RegExp(`${MARKER}|(?<run>${run(IDEOGRAPH)}|${run(ALPHABET)})|${EMOJI}|${WORD}`, "gu");
const WORDS = new RegExp(WORD, "gu");
const CHARACTERS = new RegExp(
  raw`.(?:\u0e4d\u0e32|\u0ecd\u0eb2|[\p{M}\u200b${INVISIBLE}\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f])*`, "gsu",
);

/** The caption as nodes, the words that the query met in <mark>. */
export function marked(caption, matched) {
  const wanted = new Set(matched);
  const nodes = [];
  let end = 0;
  for (const unit of wanted.size ? caption.matchAll(UNITS) : []) {
    for (const [start, text] of unit.groups.run ? piecesOf(unit[0], wanted) : [[0, unit[0]]].filter(([, word]) => wanted.has(word))) {
      const mark = document.createElement("mark");
      mark.textContent = text;
      nodes.push(caption.slice(end, unit.index + start), mark);
      end = unit.index + start + text.length;
    }
  }
  nodes.push(caption.slice(end));
  return nodes;
}

/** The parts of a run that are wanted, each with its place; joined where they meet, since a wanted part can begin in another. */
function piecesOf(run, wanted) {
  const edges = new Set([0]);
  for (const { index, 0: character } of run.matchAll(CHARACTERS)) edges.add(index + character.length);
  const isWanted = new Uint8Array(run.length);
  for (const word of wanted) {
    for (let at = run.indexOf(word); at >= 0; at = run.indexOf(word, at + 1)) {
      if (edges.has(at) && edges.has(at + word.length)) isWanted.fill(1, at, at + word.length);
    }
  }
  const pieces = [];
  for (let start = isWanted.indexOf(1), end; start >= 0; start = isWanted.indexOf(1, end)) {
    end = isWanted.indexOf(0, start);
    if (end < 0) end = run.length;
    pieces.push([start, run.slice(start, end)]);
  }
  return pieces;
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
    const words = caption.toLowerCase().match(WORDS) ?? [];
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
