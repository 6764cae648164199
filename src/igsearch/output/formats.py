"""Answers as programs read them, one shape for the command and the server alike: JSON, JSON lines, CSV, bare addresses and paths.

Text from outside is data: what a terminal would obey is written as an escape, and no cell of a CSV file is a formula.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from igsearch.errors import PhotoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from igsearch.captioner.catalogue import CaptionerSummary
    from igsearch.indexing import IndexReport
    from igsearch.records import Description, Hit, Photo
    from igsearch.store.rows import Summary

SCHEMA_VERSION = 1

HIT_FIELDS = (
    "rank",
    "score",
    "profile",
    "id",
    "caption",
    "matched",
    "permalink",
    "url",
    "path",
    "member",
    "thumbnail",
    "shortcode",
    "slide",
    "n_slides",
    "taken_at",
    "is_video",
    "likes",
    "hashtags",
    "post_text",
    "alt_text",
    "labels",
    "objects",
    "is_gone",
)

PHOTO_FIELDS = (
    "profile", "id", "caption", "logprob", "alternatives", "labels", "objects", "permalink", "url", "path", "member", "shortcode", "slide", "n_slides",
    "taken_at", "is_video", "is_pinned", "likes", "hashtags", "post_text", "alt_text", "location",
)  # fmt: skip
"""The keys of `photo_record`, in its order."""

CONTROL = r"\x00-\x1f\x7f-\x9f"
INVISIBLE = r"\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
"""Direction overrides and isolates (Unicode TR 36, 2.4), separators and tags. The joiners U+200C and U+200D stay: scripts and emoji are written with them."""
SURROGATES = r"\ud800-\udfff"
UNSAFE = re.compile(f"[{CONTROL}{INVISIBLE}{SURROGATES}]")
UNSAFE_IN_CELL = re.compile(f"(?![\n\t])[{CONTROL}{INVISIBLE}{SURROGATES}]")
FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain(text: str) -> str:
    """`text` on one line, safe to show on a terminal: runs of white space become a space, what a terminal would obey becomes a replacement character."""
    return UNSAFE.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def hit_record(hit: Hit) -> dict[str, Any]:
    """A hit as JSON knows it: every key present, null where unknown, times in UTC. The shape is a contract (`schema_version`)."""
    photo, described = hit.photo, hit.description
    return {
        "rank": hit.rank,
        "score": round(hit.score, 6),
        "profile": hit.profile,
        "id": photo.id,
        "caption": described.caption,
        "matched": list(hit.matched),
        "permalink": photo.permalink,
        "url": photo.url,
        "path": None if photo.path is None else str(photo.path),
        "member": photo.member,
        "thumbnail": None if hit.thumbnail is None else str(hit.thumbnail),
        "shortcode": photo.shortcode,
        "slide": photo.slide,
        "n_slides": photo.n_slides,
        "taken_at": iso(photo.taken_at),
        "is_video": photo.is_video,
        "likes": photo.likes,
        "hashtags": list(photo.hashtags),
        "post_text": photo.post_text,
        "alt_text": photo.alt_text,
        "labels": _label_records(described),
        "objects": object_records(described),
        "is_gone": hit.is_gone,
    }


def search_json(
    results: Iterable[Hit | dict[str, Any]], *, query: str, profiles: Sequence[str], total: int, remarks: Sequence[str], indent: int | None = 2
) -> str:
    """The answer to a search as one JSON document: hits, or records made of them; `total` counts all matches, not only those shown."""
    records = [result if isinstance(result, dict) else hit_record(result) for result in results]
    head = {"schema_version": SCHEMA_VERSION, "query": query, "profiles": list(profiles), "total": total, "remarks": list(remarks)}
    return to_json(head | {"results": records}, indent=indent)


def search_jsonl(hits: Iterable[Hit]) -> Iterator[str]:
    """One hit a line, without the line's end."""
    return (to_json(hit_record(hit)) for hit in hits)


def search_csv(hits: Iterable[Hit]) -> Iterator[str]:
    """A header and one hit a line, without the line's end (RFC 4180 otherwise). Lists are joined by spaces, labels and objects by semicolons."""
    yield _csv_line(HIT_FIELDS)
    for hit in hits:
        yield _csv_line(map(_cell, (hit_record(hit) | _things_in_cells(hit.description)).values()))


def photo_record(profile: str, photo: Photo, description: Description) -> dict[str, Any]:
    """All that is kept of a photo as JSON knows it: every key present, null where unknown. `igsearch index --from` reads it back."""
    alternatives = [{"caption": other.caption, "logprob": other.logprob} for other in description.alternatives]
    objects = None if description.objects is None else [{"name": one.name, "count": one.count, "score": one.score} for one in description.objects]
    return {
        "profile": profile,
        "id": photo.id,
        "caption": description.caption,
        "logprob": description.logprob,
        "alternatives": alternatives,
        "labels": [{"name": label.name, "probability": label.probability} for label in description.labels],
        "objects": objects,
        "permalink": photo.permalink,
        "url": photo.url,
        "path": None if photo.path is None else str(photo.path.absolute()),
        "member": photo.member,
        "shortcode": photo.shortcode,
        "slide": photo.slide,
        "n_slides": photo.n_slides,
        "taken_at": iso(photo.taken_at),
        "is_video": photo.is_video,
        "is_pinned": photo.is_pinned,
        "likes": photo.likes,
        "hashtags": list(photo.hashtags),
        "post_text": photo.post_text,
        "alt_text": photo.alt_text,
        "location": photo.location,
    }


def photos_csv(described: Iterable[tuple[str, Photo, Description]]) -> Iterator[str]:
    """A header and one photo of a profile a line, without the line's end: the keys of `photo_record`, lists as `search_csv` has them."""
    yield _csv_line(PHOTO_FIELDS)
    for profile, photo, description in described:
        others = {"alternatives": "; ".join(other.caption for other in description.alternatives)}
        yield _csv_line(map(_cell, (photo_record(profile, photo, description) | _things_in_cells(description) | others).values()))


def search_lines(hits: Iterable[Hit]) -> Iterator[str]:
    """One hit a line, never shortened: rank, score, caption, date and address, separated by tabs; what a terminal would obey is replaced."""
    for hit in hits:
        photo = hit.photo
        where = plain(whereabouts(photo)) if photo.path and not photo.permalink else address(photo)
        taken = f"{photo.taken_at.astimezone(UTC):%Y-%m-%d}" if photo.taken_at else ""
        yield "\t".join((str(hit.rank), f"{hit.score:.4f}", plain(hit.description.caption), taken, where))


def search_urls(hits: Iterable[Hit]) -> Iterator[str]:
    """Each hit's lasting address: its post on Instagram, else where the picture was, else the local file; none for a hit that has neither."""
    return filter(None, (address(hit.photo) for hit in hits))


def search_paths(hits: Iterable[Hit]) -> Iterator[str]:
    """A local file for each hit: the picture itself where it lies here as a file, else its thumbnail; none for a hit that has neither."""
    files = (hit.thumbnail if hit.photo.path is None or hit.photo.member is not None else hit.photo.path for hit in hits)
    return (str(file) for file in files if file is not None)


def delimited(items: Iterable[str], *, zero: bool, terminal: bool) -> bytes:
    r"""Addresses or paths as bytes for stdout, each followed by a line's end, or by `\0` with `zero`. Exact, unless a `terminal` would obey them."""
    end = b"\0" if zero else b"\n"
    return b"".join(os.fsencode(plain(item) if terminal else item) + end for item in items)


def caption_json(captioner: str, results: Iterable[tuple[Path, Description | PhotoError]]) -> str:
    """What `igsearch caption --json` says: a description or an error for each path, in order."""
    return to_json({"schema_version": SCHEMA_VERSION, "captioner": captioner, "results": [_caption_record(*result) for result in results]}, indent=2)


def report_json(report: IndexReport) -> str:
    """What an indexing run did, or a dry run found to do; of many failures, the first ones are listed."""
    from igsearch.planning import Action

    plan = {str(action): report.planned[action] for action in Action if action is not Action.UNREAD}
    counts = {"described": report.n_described, "given": report.n_given, "failed": report.n_failed, "searchable": report.n_photos}
    failures = [{"id": one.id, "permalink": one.permalink, "url": one.url, "error": one.reason} for one in report.failed]
    head = {"schema_version": SCHEMA_VERSION, "profile": report.profile, "source": report.source, "dry_run": report.is_dry}
    photos = counts | plan | {"gone": report.n_gone, "pruned": report.n_pruned}
    return to_json(head | {"seconds": round(report.seconds, 2), "photos": photos, "left_out": dict(report.left_out), "failures": failures}, indent=2)


def profiles_json(summaries: Iterable[Summary]) -> str:
    """What is indexed: a record for each profile."""
    return to_json({"schema_version": SCHEMA_VERSION, "profiles": [_profile_record(summary) for summary in summaries]}, indent=2)


def captioners_json(summaries: Iterable[CaptionerSummary]) -> str:
    """The captioners there are: a record for each."""
    return to_json({"schema_version": SCHEMA_VERSION, "captioners": [_captioner_record(summary) for summary in summaries]}, indent=2)


def captioner_json(summary: CaptionerSummary) -> str:
    """What is known of one captioner."""
    return to_json({"schema_version": SCHEMA_VERSION} | _captioner_record(summary), indent=2)


def captioner_lines(summary: CaptionerSummary) -> Iterator[str]:
    """What is known of one captioner, a line each, in two columns."""
    record = _captioner_record(summary)
    numbers = record.pop("val")
    for name, value in (record | {f"val {name}": value for name, value in numbers.items()}).items():
        if value is not None:
            yield f"{plain(name):12}  {format(value, ',') if isinstance(value, int) else plain(str(value))}"


def _captioner_record(summary: CaptionerSummary) -> dict[str, Any]:
    sizes = {"parameters": summary.n_parameters, "vocabulary": summary.n_words, "bytes": summary.n_bytes}
    origin = {"licence": summary.licence, "val": dict(summary.val), "folder": str(summary.folder), "problem": summary.problem}
    return {"name": summary.name, "kind": summary.kind, "network": summary.network, "encoder": summary.encoder} | sizes | origin


def _profile_record(summary: Summary) -> dict[str, Any]:
    times = {"oldest": iso(summary.oldest), "newest": iso(summary.newest), "last_indexed": iso(summary.last_indexed)}
    counts = {"photos": summary.n_photos, "failed": summary.n_failed, "gone": summary.n_gone}
    head = {"profile": summary.profile, "source": summary.source, **counts, "captioners": list(summary.captioners)}
    return head | times | {"problem": summary.problem}


def _caption_record(path: Path, outcome: Description | PhotoError) -> dict[str, Any]:
    if isinstance(outcome, PhotoError):
        return {"path": str(path), "error": str(outcome)}
    alternatives = [{"caption": other.caption, "logprob": round(other.logprob, 4)} for other in outcome.alternatives]
    best = {"path": str(path), "caption": outcome.caption, "logprob": _rounded(outcome.logprob)}
    return best | {"alternatives": alternatives, "labels": _label_records(outcome), "objects": object_records(outcome)}


def _label_records(description: Description) -> list[dict[str, Any]]:
    return [{"name": label.name, "probability": round(label.probability, 4)} for label in description.labels]


def object_records(description: Description) -> list[dict[str, Any]] | None:
    """The objects found in a photo as JSON knows them; None where nobody looked for any."""
    if description.objects is None:
        return None
    return [{"name": one.name, "count": one.count, "score": _rounded(one.score)} for one in description.objects]


def _things_in_cells(description: Description) -> dict[str, str | None]:
    """Labels and objects as text for one cell each: `tabby 0.750; Egyptian cat 0.125` and `2 dog 0.910; car`."""
    labels = "; ".join(f"{label.name} {label.probability:.3f}" for label in description.labels)
    if description.objects is None:
        return {"labels": labels, "objects": None}
    objects = (f"{'' if one.count is None else f'{one.count} '}{one.name}{'' if one.score is None else f' {one.score:.3f}'}" for one in description.objects)
    return {"labels": labels, "objects": "; ".join(objects)}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def to_json(value: object, indent: int | None = None) -> str:
    """JSON in readable UTF-8; only what a terminal would obey, or cannot be encoded, is written as an escape, which means the same."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return re.sub(f"(?!\n){UNSAFE.pattern}", lambda found: json.dumps(found[0])[1:-1], text)


def iso(moment: datetime | None) -> str | None:
    """A time in UTC as ISO 8601, to the second."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _csv_line(cells: Iterable[object]) -> str:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().removesuffix("\n")


def _cell(value: object) -> object:
    """A value as a spreadsheet may show it: text that would be taken for a formula gets an apostrophe."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        return value
    guard = "'" if value.startswith(FORMULA_START) else ""
    return guard + UNSAFE_IN_CELL.sub("\N{REPLACEMENT CHARACTER}", value.replace("\r\n", "\n").replace("\r", "\n"))


def whereabouts(photo: Photo) -> str:
    """The lasting address of a photo, else the address or the file of the picture itself; one in a ZIP as if that were a folder."""
    file = None if photo.path is None else photo.path / (photo.member or "")
    return str(photo.permalink or photo.url or file or photo.id)


def address(photo: Photo) -> str:
    """The photo's address in ASCII, anything unusual in it percent-encoded, so that neither a terminal nor a shell script trips over it.

    A picture inside a ZIP file is a fragment of that file's address: `file:///export.zip#media/posts/a.jpg`.
    """
    given = photo.permalink or photo.url
    if given is not None:
        return quote(given.encode("utf-8", "surrogatepass"), safe="%/:=&?~#+!$,;'@()*[]")
    if photo.path is None:
        return ""
    fragment = "" if photo.member is None else f"#{quote(photo.member.encode('utf-8', 'surrogatepass'))}"
    return f"{photo.path.absolute().as_uri()}{fragment}"
