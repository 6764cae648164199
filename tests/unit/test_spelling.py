"""A slip is seen, and a word that is merely unknown is left alone."""

from __future__ import annotations

import time

import pytest

from igsearch.spelling import did_you_mean

KNOWN = dict.fromkeys(["dog", "boat", "beach", "holiday", "skateboard", "bicycle", "circle", "women", "skiing", "natgeo", "the", "he", "steep", "sheep"], 1.0)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("holidya", "holiday"),
        ("dgo", "dog"),
        ("womn", "women"),
        ("bech", "beach"),
        ("skateboeard", "skateboard"),
        ("sckateboad", "skateboard"),
        ("byciycle", "bicycle"),
        ("sking", "skiing"),
        ("teh", "the"),
        ("dog", None),
        ("hog", None),
        ("goat", None),
        ("zeppelin", None),
        ("", None),
        ("犬", None),
        ("d" * 100_000, None),
    ],
)
def test_what_was_meant(word: str, meant: str | None) -> None:
    """Letters that changed places, that are missing, too many or others; a short word of its own is no slip."""
    assert did_you_mean(word, KNOWN) == meant


def test_of_several_the_most_common_is_meant() -> None:
    """Whoever knows how rare the words are decides between equals."""
    assert did_you_mean("shteep", KNOWN, {**KNOWN, "sheep": 2.0}.__getitem__) == "steep"
    assert did_you_mean("sheap", {"sheep": 1.0, "cheap": 2.0}, {"sheep": 1.0, "cheap": 0.5}.__getitem__) == "cheap"


def test_many_words_are_looked_through_at_once() -> None:
    """A search need not wait."""
    started = time.process_time()

    assert did_you_mean("holidya trip", {f"{number:08d}" for number in range(100_000)}) is None
    assert time.process_time() - started < 2


def test_a_misspelt_name_has_a_likely_one() -> None:
    """The nearest of those there are, if any is near."""
    known = {"holiday", "natgeotravel", "วันหยุด"}
    assert did_you_mean("holidya", known) == "holiday"
    assert did_you_mean("natgeo_travel", known) == "natgeotravel"
    assert did_you_mean("วันหยด", known) == "วันหยุด"
    assert did_you_mean("cats", known) is None
    assert did_you_mean("cats", set()) is None
