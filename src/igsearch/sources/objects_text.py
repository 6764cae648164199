"""What detectors wrote about a photo, as text, list or missing: `yolo_objects` of the 2021 prototype, in whatever form its scripts left it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from igsearch.records import DetectedObject

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

SEPARATOR = re.compile(r"[,;|\n\t]+")
WORD = re.compile(rf"{'|'.join(OF_TWO_WORDS)}|\S+", re.IGNORECASE)
COUNTED = re.compile(r"(\d{1,4})\s*x?\s+(\D.*)")
SCORED = re.compile(r"(.*?\D)[\s:(=]+(?:(\d{1,3})\s*%|(0?\.\d+|1\.0+))\)?")
MAX_OBJECTS = 1000
MAX_CHARS = 2_000
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
    if COUNTED.fullmatch(text.strip()) or SCORED.fullmatch(text.strip()):
        return [text.strip()]
    return WORD.findall(text)


def objects_listed(value: object) -> tuple[DetectedObject, ...] | None:
    """The objects in a list that igsearch wrote itself, as they are; None for anything but a list."""
    return tuple(filter(None, map(_of_record, value[:MAX_OBJECTS]))) if isinstance(value, list) else None


def _of_item(item: object) -> DetectedObject | None:
    """One element of a list: a name, or an object with `name` (or `label`, `class`), `count`, and `score` (or `confidence`)."""
    if isinstance(item, str):
        return _of_text(item[:MAX_CHARS].strip())
    found = _of_record(item)
    return found and _renamed(found)


def _of_record(item: object) -> DetectedObject | None:
    if not isinstance(item, Mapping):
        return None
    name = next((found for key in ("name", "label", "class") if isinstance(found := item.get(key), str)), "")[:MAX_CHARS]
    return DetectedObject(name, _count(item.get("count")), _score(item.get("score", item.get("confidence")))) if name.strip() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_COUNT else None


def _score(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None


def _of_text(text: str) -> DetectedObject | None:
    if counted := COUNTED.fullmatch(text):
        name = counted[2]
        return _renamed(DetectedObject(name[:-1] if int(counted[1]) > 1 and name.endswith("s") and not name.endswith("ss") else name, _count(int(counted[1]))))
    if scored := SCORED.fullmatch(text):
        return _renamed(DetectedObject(scored[1], score=_score(int(scored[2]) / 100 if scored[2] else float(scored[3]))))
    return _renamed(DetectedObject(text)) if text else None


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
