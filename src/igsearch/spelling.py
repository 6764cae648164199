"""What somebody meant who made a slip: the known word that is most like the one they wrote."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from string import ascii_lowercase

MAX_CHARS = 64
"""Longer words are left alone."""

ALIKE = 0.8
"""How much of two longer words must be alike, from 0 to 1, for one to be a slip of the other by more than one letter: "sckateboad" and "skateboard" are 0.8."""


def did_you_mean(word: str, known: Collection[str], rarity: Callable[[str], float] = len) -> str | None:
    """The one of `known`, a dictionary or set, that `word` is a slip of; of several the least rare. None where there is none, or `word` is known itself."""
    if word in known or len(word) > MAX_CHARS:
        return None
    if slips := [one for one in _one_slip_away(word) if one in known]:
        return min(slips, key=lambda one: (rarity(one), one))
    if len(word) <= 5:
        return None
    from difflib import get_close_matches

    alike = [one for one in known if abs(len(one) - len(word)) <= 2]
    return next(iter(get_close_matches(word, alike, n=1, cutoff=ALIKE)), None)


def _one_slip_away(word: str) -> Iterator[str]:
    """What differs from `word` in one letter; of short words fewer kinds of slips, since half of them are other words: "boat" is no slip of "goat"."""
    halves = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    yield from (before + after[1] + after[0] + after[2:] for before, after in halves if len(after) > 1)
    if len(word) > 3:
        yield from (before + after[1:] for before, after in halves if after)
        yield from (before + letter + after for before, after in halves for letter in ascii_lowercase)
    if len(word) > 4:
        yield from (before + letter + after[1:] for before, after in halves if after for letter in ascii_lowercase)
