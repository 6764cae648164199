"""The one analyser: what the index is fitted on, what a query becomes, and what the highlighter marks are terms of the same making.

`seed` gives the plain tokens of the 2021 prototype (scikit-learn's defaults: lower case, at least two word characters). `stemmed` reads text as people write:

- a word is letters, digits and the marks on them in any script; case, accents, vowel points and compatibility forms (NFKC) do not matter, nor do joiners that
  are not seen. An English word becomes the stem of its singular, so that "walk" meets "walking". A digit alone is a word, a letter alone is none;
- an emoji is a word, whatever its skin tone, gender or presentation;
- scripts without blanks between words, and Korean, which glues endings to them, become pieces of one, two or (of an alphabet) three characters. A query asks
  for the longest of its pieces alone: "東京" is to find "東京都", not "京都".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

MAX_CHARS = 20_000
"""What lies behind is not analysed: Instagram ends a post's text at 2,200 characters, and a hostile file must not cost minutes."""

N_STEMS_KEPT = 65_536
"""Stems remembered: a stem costs about 20 µs to make, and captions repeat a few thousand words."""

MAX_STEMMED_CHARS = 64
"""Longer tokens stay whole: they are no English words, and remembering them would fill the memory."""

DEFAULT_ANALYSER = "stemmed"

_TOKEN = re.compile(r"\b\w\w+\b")
_ASCII_TOKEN = re.compile(r"\b(?:\w\w+|\d)\b")
_MARKER = re.compile(r"<(?:start|end|pad|unk)>", re.IGNORECASE)
_PLAIN_UNIT = re.compile(rf"{_MARKER.pattern}|(?P<word>\w+)", re.IGNORECASE)

_IDEOGRAPHS = "Han Hiragana Katakana Bopomofo Hangul"
_ALPHABETS = "Thai Lao Khmer Myanmar Tai_Le New_Tai_Lue Tai_Tham Tai_Viet Javanese Balinese"
_INVISIBLE = r"\u00ad\u200c\u200d\u2060\ufeff"
"""What may stand inside a word without being seen: a soft hyphen, joiners, and what forbids a line break."""

_CLUSTER = rf".(?:\u0e4d\u0e32|\u0ecd\u0eb2|[\p{{M}}\u200b{_INVISIBLE}\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f])*"
"""A character of a script without blanks: a letter with what cannot stand alone. static/words.js has this and `_units` as well."""


class Unit(NamedTuple):
    """A stretch of text that has terms, `kind` says how: "word", "sign" (an emoji), "ideographs" or "alphabet" (without blanks between words)."""

    kind: str
    start: int
    written: str


def seed_terms(text: str) -> list[str]:
    """The terms of `text` as scikit-learn's TfidfVectorizer makes them by default, without a captioner's markers such as `<start>`."""
    return _TOKEN.findall(_MARKER.sub(" ", text[:MAX_CHARS]).lower())


@lru_cache(N_STEMS_KEPT)
def stem_of(token: str) -> str:
    """The term of a word in lower case and without accents: of an English one, the stem of its singular. It depends on the word alone."""
    if len(token) > MAX_STEMMED_CHARS or not token.isascii() or token.isdecimal():
        return token
    # The pure Python class even where PyStemmer is installed: an index must meet the same stems everywhere. It holds state, so every call has its own.
    from snowballstemmer.english_stemmer import EnglishStemmer

    from igsearch.plurals import singular, with_man

    return with_man(EnglishStemmer().stemWord(singular(token)))


Stem = Callable[[str], str]
"""`stem_of`, or what looks a word up where stems are kept: a query in words that an index knows then need not import the stemmer, which takes 13 ms."""


def stemmed_terms(text: str, stem: Stem = stem_of) -> list[str]:
    """The terms of a text that is to be found, in order and with repetitions."""
    text = text[:MAX_CHARS]
    if text.isascii():
        return [stem(token) for token in _ASCII_TOKEN.findall(_MARKER.sub(" ", text.lower()))]
    return [term for unit in _units(text) for term in _terms_of(unit, stem)]


ANALYSERS: Mapping[str, Callable[[str], list[str]]] = MappingProxyType({"seed": seed_terms, "stemmed": stemmed_terms})
"""The analysers by name. Top-level functions, because a pickled vectorizer refers to them by module and name."""


def query_terms(text: str, analyser: str = DEFAULT_ANALYSER, stem: Stem = stem_of) -> list[str]:
    """The terms that a query asks for: those it would have as a text, of a script without blanks the longest pieces alone."""
    if analyser == "seed":
        return seed_terms(text)
    if text.isascii():
        return stemmed_terms(text, stem)
    return [term for unit in _units(text[:MAX_CHARS]) for term in _terms_of(unit, stem, longest_only=True)]


def without_markers(text: str) -> str:
    """A captioner's sentence without `<start>`, `<end>`, `<pad>` and `<unk>`, its words one blank apart."""
    return " ".join(_MARKER.sub(" ", text[:MAX_CHARS]).split())


def matching_spans(text: str, query: str, analyser: str = DEFAULT_ANALYSER, stem: Stem = stem_of) -> list[tuple[int, int]]:
    """Where in `text` the words stand that share a term with `query`: (start, end) offsets, ascending, end exclusive."""
    wanted = frozenset(query_terms(query, analyser, stem))
    if not wanted:
        return []
    if analyser == "seed":
        return [unit.span() for unit in _PLAIN_UNIT.finditer(text[:MAX_CHARS]) if not wanted.isdisjoint(seed_terms(unit.group()))]
    return [(unit.start + start, unit.start + end) for unit in _units(text[:MAX_CHARS]) for start, end in _matches_in(unit, wanted, stem)]


def matched_words(text: str, query: str, analyser: str = DEFAULT_ANALYSER, stem: Stem = stem_of) -> tuple[str, ...]:
    """The words of `text`, as written, that share a term with `query`; each once, in order of appearance."""
    return tuple(dict.fromkeys(text[start:end] for start, end in matching_spans(text, query, analyser, stem)))


def folded(text: str) -> str:
    """`text` without differences of case, accents and compatibility; composed before folding and after, since folding can decompose."""
    if text.isascii():
        return text.lower()
    alike = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", alike.translate(_FOLDED))


class _Folds(dict[int, str]):
    """What `str.translate` puts in place of a character of a decomposed, case-folded text."""

    def __missing__(self, code: int) -> str:
        self[code] = there = _folded_character(chr(code))
        return there


_FOLDED = _Folds(
    {
        **{ord(one): other for one, other in zip("ıðþæœŋ", ("i", "d", "th", "ae", "oe", "n"), strict=True)},
        **dict(zip(map(ord, "ٱىیےکةہھە"), "اييىكهههه", strict=True)),  # how Arabic, Persian and Urdu keyboards write the same letter
        **{ord(one): "" for one in "\u093c\u0640"},  # the nukta, which Hindi often leaves out, and the stroke that only makes an Arabic word longer
        0x0901: "\u0902",  # of the two nasal signs of Hindi people write either
        **{code: chr(code) for code in (0x3099, 0x309A)},  # "COMBINING" by name, but か and が are two letters
    }
)
_OPTIONAL_MARKS = ("COMBINING", "HEBREW", "ARABIC", "SYRIAC", "VARIATION SELECTOR")


def _folded_character(character: str) -> str:
    """`character` without what readers do not miss: an accent, a vowel point, a stroke through a Latin letter, a joiner, a skin tone, the script of a digit."""
    name, category = unicodedata.name(character, ""), unicodedata.category(character)
    if name.startswith("LATIN SMALL LETTER ") and name[20:26] == " WITH ":
        return name[19].lower()
    if category == "Nd":
        return str(unicodedata.decimal(character))
    unseen = category == "Cf" and not name.startswith("TAG ")
    optional = category in {"Mn", "Me"} and name.startswith(_OPTIONAL_MARKS)
    return "" if unseen or optional or name.startswith(("EMOJI MODIFIER", "MODIFIER LETTER")) else character


def _units(text: str) -> Iterator[Unit]:
    """The stretches of `text` that have terms."""
    found = _PLAIN_UNIT.finditer(text) if text.isascii() else _unicode_unit()(text)
    for one in found:
        if one.lastgroup is not None:  # a marker has no name
            yield Unit(one.lastgroup, one.start(), one.group())


@cache
def _unicode_unit() -> Callable[[str], Iterator[re.Match[str]]]:
    """Finds units by Unicode's properties. `re` does not know them, and the import of what does takes as long as the stemmer's, so English does without."""
    import regex

    def letters(scripts: str) -> str:
        properties = "".join(rf"\p{{scx={script}}}" for script in scripts.split())
        return rf"[[\p{{L}}\p{{Nl}}]&&[{properties}]]"

    def run(letter: str) -> str:
        return rf"(?:{letter}[\p{{M}}\u200b{_INVISIBLE}]*)+"

    ideograph, alphabet = letters(_IDEOGRAPHS), letters(_ALPHABETS)
    letter = rf"[[\p{{L}}\p{{N}}_]--{ideograph}--{alphabet}]"
    picture = r"[\p{Extended_Pictographic}\p{So}][\p{M}\p{Emoji_Modifier}\U000e0020-\U000e007f]*"
    kinds = {
        "word": rf"{letter}(?:{letter}|[\p{{M}}{_INVISIBLE}])*",
        "ideographs": run(ideograph),
        "alphabet": run(alphabet),
        "sign": rf"\p{{Regional_Indicator}}{{2}}|{picture}(?:\u200d{picture})*",
    }
    pattern = "|".join([f"(?i:{_MARKER.pattern})", *(f"(?P<{kind}>{one})" for kind, one in kinds.items())])
    find: Callable[[str], Iterator[re.Match[str]]] = regex.compile(pattern, regex.VERSION1).finditer
    return find


@cache
def _cluster() -> Callable[[str], list[str]]:
    import regex

    find: Callable[[str], list[str]] = regex.compile(_CLUSTER, regex.DOTALL).findall
    return find


_LONGEST = {"ideographs": 2, "alphabet": 3}
"""Characters in a piece: most words of Chinese have two, and two letters of an alphabet are too common to tell words apart."""


def _terms_of(unit: Unit, stem: Stem, *, longest_only: bool = False) -> list[str]:
    """The terms of a unit: of a word its stem, of an emoji its pictures, of a script without blanks its pieces, in a query the longest alone."""
    if unit.kind == "word":
        token = folded(unit.written)
        return [stem(token)] if len(token) > 1 or _says_something(token) else []
    if unit.kind == "sign":
        first, *others = unit.written.split("\u200d")
        return [folded(one) for one in (first, *(one for one in others if one[0] not in "♀♂"))]
    characters = _cluster()(folded(unit.written))
    return [piece for start, end, piece in _pieces(characters, _LONGEST[unit.kind], longest_only=longest_only)]


def _says_something(character: str) -> bool:
    """Whether a word of one character is one: a digit, or a syllable, and not a letter of an alphabet."""
    return character.isdecimal() or (unicodedata.category(character or "_") == "Lo" and not unicodedata.name(character, "").startswith(("HEBREW", "ARABIC")))


def _pieces(characters: list[str], longest: int, *, longest_only: bool = False) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of every piece of at most `longest` characters."""
    longest = min(longest, len(characters))
    for n in range(longest if longest_only else 1, longest + 1):
        for start in range(len(characters) - n + 1):
            yield start, start + n, "".join(characters[start : start + n])


def _matches_in(unit: Unit, wanted: frozenset[str], stem: Stem) -> list[tuple[int, int]]:
    """Which parts of a unit have a wanted term: all of a word or an emoji, of a script without blanks the pieces, joined where they meet."""
    if unit.kind not in _LONGEST:
        return [] if wanted.isdisjoint(_terms_of(unit, stem)) else [(0, len(unit.written))]
    written = _cluster()(unit.written)
    if folded(unit.written) != "".join(map(folded, written)):  # single jamo, which only together are a syllable
        written = [unit.written]
    alike = [(place, character) for place, one in enumerate(written) for character in _cluster()(folded(one))]
    marks = bytearray(len(written))
    for start, end, piece in _pieces([character for _, character in alike], _LONGEST[unit.kind]):
        if piece in wanted:
            first, last = alike[start][0], alike[end - 1][0]
            marks[first : last + 1] = b"\1" * (last + 1 - first)
    offsets = [0, *accumulate(map(len, written))]
    return [(offsets[one.start()], offsets[one.end()]) for one in re.finditer(rb"\x01+", marks)]
