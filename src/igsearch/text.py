"""The one analyser: what the index is fitted on, what a query becomes, and what the highlighter marks are terms of the same making.

`seed` gives the plain tokens of the 2021 prototype (scikit-learn's defaults: lower case, at least two word characters); `stemmed` also folds case and
compatibility forms (Unicode NFKC) and reduces English words to their Snowball stem, so that "walk", "walks" and "walking" meet.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

MAX_CHARS = 20_000
"""What lies behind is not analysed: Instagram ends a post's text at 2,200 characters, and a hostile file must not cost minutes."""

N_STEMS_KEPT = 65_536
"""Stems remembered: a stem costs about 20 µs to make, and captions repeat a few thousand words."""

MAX_STEMMED_CHARS = 64
"""Longer tokens stay whole: they are no English words, and remembering them would fill the memory."""

DEFAULT_ANALYSER = "stemmed"

_TOKEN = re.compile(r"\b\w\w+\b")
_MARKER = re.compile(r"<(?:start|end|pad|unk)>", re.IGNORECASE)
_COMBINING = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_WRITTEN_WORD = re.compile(rf"{_MARKER.pattern}|\w[\w{_COMBINING}]*", re.IGNORECASE)


def seed_terms(text: str) -> list[str]:
    """The terms of `text` as scikit-learn's TfidfVectorizer makes them by default, without a captioner's markers such as `<start>`."""
    return _TOKEN.findall(_MARKER.sub(" ", text[:MAX_CHARS]).lower())


def stemmed_terms(text: str) -> list[str]:
    """The Snowball stems of the case-folded tokens of `text`, in order and with repetitions."""
    return [_stem(token) for token in _tokens(text)]


ANALYSERS: Mapping[str, Callable[[str], list[str]]] = MappingProxyType({"seed": seed_terms, "stemmed": stemmed_terms})
"""The analysers by name. Top-level functions, because a pickled vectorizer refers to them by module and name."""


def without_markers(text: str) -> str:
    """A captioner's sentence without `<start>`, `<end>`, `<pad>` and `<unk>`, its words one blank apart."""
    return " ".join(_MARKER.sub(" ", text[:MAX_CHARS]).split())


def matching_spans(text: str, query: str, analyser: str = DEFAULT_ANALYSER) -> list[tuple[int, int]]:
    """Where in `text` the words stand that share a term with `query`: (start, end) offsets, ascending, end exclusive."""
    terms_of = ANALYSERS[analyser]
    wanted = set(terms_of(query))
    words = _WRITTEN_WORD.finditer(text[:MAX_CHARS]) if wanted else ()
    return [word.span() for word in words if not wanted.isdisjoint(terms_of(word.group()))]


def matched_words(text: str, query: str, analyser: str = DEFAULT_ANALYSER) -> tuple[str, ...]:
    """The words of `text`, as written, that share a term with `query`; each once, in order of appearance."""
    return tuple(dict.fromkeys(text[start:end] for start, end in matching_spans(text, query, analyser)))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_folded(_MARKER.sub(" ", text[:MAX_CHARS])))


def _folded(text: str) -> str:
    """`text` without differences of case and compatibility; composed before folding and after, since folding can decompose."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def stems_in(text: str) -> dict[str, str]:
    """The stem of every token of `text`."""
    return {token: _stem(token) for token in _tokens(text)}


def remember(stems: Mapping[str, str]) -> None:
    """Take stems that were made earlier, by `stems_in`: a query in words that the captions use then need not import the stemmer, which takes 13 ms."""
    _STEMS.update(stems)


_STEMS: dict[str, str] = {}
"""Stems made or remembered so far. A stem depends on its token alone."""


def _stem(token: str) -> str:
    stem = _STEMS.get(token)
    if stem is None:
        stem = _made_stem(token)
        if len(_STEMS) < N_STEMS_KEPT:
            _STEMS[token] = stem
    return stem


def _made_stem(token: str) -> str:
    if len(token) > MAX_STEMMED_CHARS:
        return token
    # The pure Python class even where PyStemmer is installed: an index must meet the same stems everywhere. It holds state, so every call has its own.
    from snowballstemmer.english_stemmer import EnglishStemmer

    stem: str = EnglishStemmer().stemWord(token)
    return stem
