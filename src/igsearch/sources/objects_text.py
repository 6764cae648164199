"""What detectors wrote about a photo, as text, list or missing: `yolo_objects` of the 2021 prototype, in whatever form its scripts left it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from igsearch.records import DetectedObject
from igsearch.sources.json_values import exact_text_in, integer_in, real_in
from igsearch.text import MAX_CHARS

SYNONYMS: Mapping[str, str] = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
"""Darknet's spelling of classes of COCO."""

OF_TWO_WORDS = (
    "traffic light", "fire hydrant", "stop sign", "parking meter", "sports ball", "baseball bat", "baseball glove", "tennis racket", "wine glass", "hot dog",
    "potted plant", "dining table", "cell phone", "teddy bear", "hair drier",
)  # fmt: skip
"""The classes of COCO that a blank does not separate."""

# Of a text in which words are one blank apart; each takes time in proportion to its length, whatever it is.
SEPARATOR = re.compile(r"[,;|\n\t]+")
WORD = re.compile(rf"{'|'.join(OF_TWO_WORDS)}|\S+", re.IGNORECASE)
COUNTED = re.compile(r"(\d{1,4}) ?x? ([^\d ].*)")
SCORE = re.compile(r"(?:(?<!\d)(\d{1,3}) ?%|(?<![\d.])(0?\.\d{1,40}|1\.0{1,40}))\)?\Z")
BEFORE_A_SCORE = " :(="
MAX_OBJECTS = 1000
MAX_NAME_CHARS = 200
"""Of one object; the longest of COCO's names has fourteen."""

MAX_COUNT = 10_000


def objects_in(value: object) -> tuple[DetectedObject, ...] | None:
    """The objects that `value` names, each kind once, in order of appearance; None where it says that nobody looked.

    Text is split at commas and the like, else at blanks. An entry may have a count before it or a score behind: `2 dogs`, `dog: 87%`, `dog 0.87`. Where a kind
    is repeated, repetitions are counted. Darknet's names become those of COCO.
    """
    if isinstance(value, str):
        return _merged(map(_of_text, _parts(value[:MAX_CHARS])))
    if isinstance(value, list):
        return _merged(_of_item(item) for item in value[:MAX_OBJECTS])
    return None


def _parts(text: str) -> list[str]:
    return [part for part in map(str.strip, SEPARATOR.split(text)) if part] if SEPARATOR.search(text) else _words(text)


def _words(text: str) -> list[str]:
    plain = " ".join(text.split())
    return [plain] if COUNTED.fullmatch(plain) or _scored(plain) else WORD.findall(plain)


def objects_listed(value: object) -> tuple[DetectedObject, ...] | None:
    """The objects in a list that igsearch wrote itself, as they are; None for anything but a list."""
    return tuple(filter(None, map(_of_record, value[:MAX_OBJECTS]))) if isinstance(value, list) else None


def _of_item(item: object) -> DetectedObject | None:
    """One element of a list: a name, or an object with `name` (or `label`, `class`), `count`, and `score` (or `confidence`)."""
    if isinstance(item, str):
        return _of_text(item[:MAX_CHARS])
    found = _of_record(item)
    return found and _renamed(found)


def _of_record(item: object) -> DetectedObject | None:
    if not isinstance(item, Mapping):
        return None
    name = next(filter(None, (exact_text_in(item.get(key)) for key in ("name", "label", "class"))), None)
    return None if name is None else DetectedObject(name, _count(item.get("count")), _score(item.get("score", item.get("confidence"))))


def _count(value: object) -> int | None:
    return integer_in(value, 1, MAX_COUNT)


def _score(value: object) -> float | None:
    score = real_in(value)
    return score if score is not None and 0 <= score <= 1 else None


def _of_text(text: str) -> DetectedObject | None:
    return _of_words(" ".join((exact_text_in(text) or "").split())[:MAX_NAME_CHARS].rstrip())


@lru_cache(maxsize=1024)
def _of_words(plain: str) -> DetectedObject | None:
    """What a short text names; remembered, since a list repeats some dozens of them."""
    if counted := COUNTED.fullmatch(plain):
        name = counted[2]
        return _renamed(DetectedObject(name[:-1] if int(counted[1]) > 1 and name.endswith("s") and not name.endswith("ss") else name, _count(int(counted[1]))))
    if scored := _scored(plain):
        return _renamed(scored)
    return _renamed(DetectedObject(plain)) if plain else None


def _scored(text: str) -> DetectedObject | None:
    """A name with a score behind it; None for anything else."""
    if (score := SCORE.search(text)) is None:
        return None
    before = text[: score.start()]
    name = before.rstrip(BEFORE_A_SCORE)
    return DetectedObject(name, score=_score(int(score[1]) / 100 if score[1] else float(score[2]))) if name and name != before else None


def _renamed(one: DetectedObject) -> DetectedObject:
    """With its name as COCO has it."""
    plain = " ".join(one.name.split()).casefold()
    return replace(one, name=SYNONYMS.get(plain, plain))


def _merged(found: Iterable[DetectedObject | None]) -> tuple[DetectedObject, ...]:
    """One of each kind: counts add up, the best score stands."""
    kinds: dict[str, list[DetectedObject]] = {}
    for one in filter(None, found):
        kinds.setdefault(one.name, []).append(one)
    are_counted = any(len(same) > 1 or same[0].count is not None for same in kinds.values())
    return tuple(
        DetectedObject(
            name, sum(one.count or 1 for one in same) if are_counted else None, max((one.score for one in same if one.score is not None), default=None)
        )
        for name, same in list(kinds.items())[:MAX_OBJECTS]
    )
