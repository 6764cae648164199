"""A source walked in a thread of its own, so that whoever describes its photos need not wait where it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from igsearch.loading import attempted
from igsearch.records import Found

AT_ONCE, AT_ONCE_SECONDS = 256, 0.02
"""How much of a source that costs nothing is taken at a time: handing over each photo alone would take longer than the walk."""


def walked_beside(found: Iterator[Found], *, n_at_once: int, patience: float) -> Generator[Found | None]:
    """What a source gives, taken from it in a thread of its own; None whenever it has let `patience` seconds pass.

    Nothing is taken that is not asked for, but for the rest of at most `n_at_once` things that come without a wait. Close it, to let go of the thread.
    """
    wanted: SimpleQueue[bool] = SimpleQueue()
    given: SimpleQueue[_Taken] = SimpleQueue()
    threading.Thread(target=_take, args=(found, wanted, given, n_at_once), name="walk", daemon=True).start()
    try:
        while True:
            wanted.put(True)
            taken = None
            while taken is None:
                try:
                    taken = given.get(timeout=patience)
                except Empty:
                    yield None
            yield from taken.items
            if isinstance(taken.end, StopIteration):
                return
            if taken.end is not None:
                raise taken.end
    finally:
        wanted.put(False)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a source gave when it was asked, and how it ended if it did."""

    items: list[Found]
    end: BaseException | None


def _take(found: Iterator[Found], wanted: SimpleQueue[bool], given: SimpleQueue[_Taken], n_at_once: int) -> None:
    """Take from a source whatever comes without a wait, each time that something is wanted."""
    while wanted.get():
        items, end, until = list[Found](), None, time.monotonic() + AT_ONCE_SECONDS
        while end is None and (not items or (len(items) < n_at_once and time.monotonic() < until)):
            one = attempted(lambda: next(found))
            if isinstance(one, BaseException):
                end = one
            else:
                items.append(one)
        given.put(_Taken(items, end))
    if isinstance(found, Generator):
        found.close()
