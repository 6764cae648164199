"""Terms are made once: the index, the query and the highlighter must agree on them."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from igsearch.text import ANALYSERS, MAX_CHARS, matched_words, matching_spans, seed_terms, stemmed_terms

WRITTEN = st.text(st.sampled_from("abcdefgs AZÉéßﬁ'-.,!\n0_"), max_size=40)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("A man WALKS down the street", ["man", "walks", "down", "the", "street"]),
        (" <start> a group of people <end> ", ["group", "of", "people"]),
        ("the end of the start", ["the", "end", "of", "the", "start"]),
        ("<unk><pad>", []),
        ("snow_white 4k x", ["snow_white", "4k"]),
        ("", []),
    ],
    ids=["case and single letters", "markers", "words that look like markers", "markers only", "underscores and digits", "empty"],
)
def test_seed_terms_are_plain_tokens(text: str, terms: list[str]) -> None:
    """Lower-case tokens of two or more word characters, without the captioner's markers."""
    assert seed_terms(text) == terms


@given(st.text())
def test_seed_terms_are_those_of_scikit_learn(text: str) -> None:
    """Without markers the seed analyser is TfidfVectorizer's default one."""
    assert seed_terms(text.replace("<", " ")) == TfidfVectorizer().build_analyzer()(text.replace("<", " "))


@pytest.mark.parametrize(
    ("one", "other"),
    [("walking", "walks"), ("Ponies", "pony"), ("STRASSE", "straße"), ("ﬁshes", "fish"), ("cafe\u0301s", "CAFÉ"), ("\uff43\uff41\uff54", "cats")],
    ids=["endings", "plural", "sharp s", "ligature", "combining accent", "full width"],
)
def test_stemmed_terms_meet(one: str, other: str) -> None:
    """Words that differ in ending, case or encoding alone have one term."""
    assert stemmed_terms(one) == stemmed_terms(other) != []


@pytest.mark.parametrize(("one", "other"), [("universe", "unicycle"), ("news", "new"), ("boat", "goat")])
def test_stemmed_terms_keep_words_apart(one: str, other: str) -> None:
    """A stem is no prefix."""
    assert stemmed_terms(one) != stemmed_terms(other)


@pytest.mark.parametrize("analyser", ANALYSERS)
@given(text=st.text(st.characters()))
def test_any_text_is_analysed(analyser: str, text: str) -> None:
    """Surrogates, control characters and every script pass; no term is empty."""
    assert all(ANALYSERS[analyser](text))


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_length_is_bounded(analyser: str) -> None:
    """What lies behind the limit is not read, and one endless word is no problem."""
    assert ANALYSERS[analyser]("word " * MAX_CHARS)[-1] == "word"
    assert len(ANALYSERS[analyser]("word " * MAX_CHARS)) == MAX_CHARS // len("word ")
    assert ANALYSERS[analyser]("ing" * MAX_CHARS) == [("ing" * MAX_CHARS)[:MAX_CHARS]]


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_analysers_can_be_pickled(analyser: str) -> None:
    """A pickled vectorizer finds its analyser again by name."""
    assert pickle.loads(pickle.dumps(ANALYSERS[analyser])) is ANALYSERS[analyser]  # noqa: S301 -- pickled in the same line


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("A man's walk, walking home.", "walks", ["walk", "walking"]),
        ("two cafe\u0301s!", "café", ["cafe\u0301s"]),
        ("<start> a dog <end>", "start the end of dogs", ["dog"]),
        ("a ﬁsh", "fishes", ["ﬁsh"]),
        ("a dog", "cat", []),
        ("a dog", "", []),
    ],
    ids=["stems and punctuation", "combining accent", "markers", "ligature", "no match", "no query"],
)
def test_spans_cover_the_words_that_match(text: str, query: str, marked: list[str]) -> None:
    """Whole words as written are marked, without the punctuation beside them."""
    assert [text[start:end] for start, end in matching_spans(text, query)] == marked


def test_seed_spans_need_the_very_word() -> None:
    """The seed ranker's highlights show what the seed ranker matched."""
    assert matched_words("walk walking", "walk", "seed") == ("walk",)


def test_matched_words_are_listed_once() -> None:
    """A word that stands twice is one word, in the order of first appearance."""
    assert matched_words("dogs and a cat and dogs and a dog", "cat dog") == ("dogs", "cat", "dog")


@pytest.mark.parametrize("analyser", ANALYSERS)
@given(text=WRITTEN, query=WRITTEN)
def test_spans_agree_with_terms(analyser: str, text: str, query: str) -> None:
    """A caption shares a term with a query exactly when something in it is marked, and the marked words hold all the terms they share."""
    spans = matching_spans(text, query, analyser)
    marked = {term for start, end in spans for term in ANALYSERS[analyser](text[start:end])}
    shared = set(ANALYSERS[analyser](text)) & set(ANALYSERS[analyser](query))

    assert shared <= marked
    assert bool(shared) == bool(spans)
    assert spans == sorted(spans)


def test_import_is_light() -> None:
    """The stemmer is loaded with the first word, not with the module."""
    code = "import igsearch.text, sys; raise SystemExit('snowballstemmer' in sys.modules or 'numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
