"""Which captioners there are, by name: the packaged one, those that were converted, and any of Hugging Face."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from safetensors import SafetensorError, safe_open

from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import CaptionerConfig
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CacheError, CheckpointError, UsageError
from igsearch.paths import cache_root, models_folder

if TYPE_CHECKING:
    from igsearch.records import Describer

HUGGING_FACE = "hf:"
PACKAGED = "packaged"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ORIGIN = "ORIGIN.json"


@dataclass(frozen=True, slots=True)
class CaptionerSummary:
    """What is known of a captioner without running it. Of a damaged one, `problem` says what is wrong with it and the sizes are 0.

    `licence` is the weights'; `val` are the numbers that were recorded when it was trained, by name.
    """

    name: str
    kind: Literal["packaged", "converted", "folder"]
    folder: Path
    n_bytes: int
    network: str = ""
    encoder: str = ""
    n_parameters: int = 0
    n_words: int = 0
    licence: str | None = None
    val: tuple[tuple[str, float], ...] = ()
    problem: str | None = None


def open_captioner(
    given: str | Path | None = None, *, device: str = "auto", beam_size: int | None = None, engine: str = "auto", cache_dir: Path | None = None
) -> Describer:
    """The captioner that `given` names, run by `engine`. One of igsearch's own loads its network when the first picture comes.

    None or `packaged` is the one that ships with igsearch; `hf:MODEL` one of Hugging Face; else the name of a converted one, or a checkpoint's folder. Raises
    UsageError if there is none of that name or the engine does not suit it, CheckpointError if it is damaged, DeviceError if the device is not there.
    """
    if isinstance(given, str) and given.startswith(HUGGING_FACE):
        if engine == "onnx":
            raise UsageError(f"--engine onnx runs captioners of the packaged one's kind, which {given!r} is not: leave the option out")
        from igsearch.captioner.huggingface import HuggingFaceCaptioner

        return HuggingFaceCaptioner(given.removeprefix(HUGGING_FACE), device=device, beam_size=beam_size)
    return Captioner(find(given, cache_dir), device=device, beam_size=beam_size, engine=engine)


def find(given: str | Path | None, cache_dir: Path | None = None) -> Path:
    """The folder of the checkpoint that `given` names: a converted one goes before a folder of that name. Raises UsageError."""
    if given is None or given == PACKAGED:
        return checkpoint.packaged()
    models = models_folder(cache_root(cache_dir))
    if isinstance(given, str) and NAME.fullmatch(given) and (models / given).is_dir():
        return models / given
    if _is_folder(Path(given)):
        return Path(given)
    there = ", ".join([PACKAGED, *converted_names(cache_dir)])
    raise UsageError(f"no captioner is called {str(given)!r}: there are {there}; a checkpoint's folder and hf:MODEL will do, too")


def converted_names(cache_dir: Path | None = None) -> list[str]:
    """The names of the captioners that were converted, in alphabetical order."""
    try:
        return sorted(one.name for one in models_folder(cache_root(cache_dir)).iterdir() if NAME.fullmatch(one.name) and one.is_dir())
    except FileNotFoundError:
        return []
    except OSError as err:
        raise CacheError(f"cannot read {str(models_folder(cache_root(cache_dir)))!r}: {err.strerror}") from err


def require_new_name(name: str, cache_dir: Path | None = None) -> None:
    """Raises UsageError if a captioner cannot be called `name`, or one is."""
    if not NAME.fullmatch(name) or name == PACKAGED:
        raise UsageError(f"a captioner cannot be called {name!r}: use 1 to 64 letters, digits, dots, hyphens or underscores, for example coco")
    if name in converted_names(cache_dir):
        raise UsageError(f"a captioner called {name!r} is there already: igsearch model remove {name}, or choose another name")


def summaries(cache_dir: Path | None = None) -> list[CaptionerSummary]:
    """The packaged captioner and those that were converted. A damaged one is among them and says so; their sums are not checked."""
    found = []
    for name in (PACKAGED, *converted_names(cache_dir)):
        folder = find(name, cache_dir)
        try:
            found.append(_summary(name, folder, _kind(name, folder, cache_dir)))
        except CheckpointError as err:
            found.append(CaptionerSummary(name, _kind(name, folder, cache_dir), folder, _n_bytes(folder), problem=str(err)))
    return found


def summary(given: str, cache_dir: Path | None = None) -> CaptionerSummary:
    """What is known of one captioner, after its sums were checked. Raises UsageError if there is none of that name, CheckpointError if it is damaged."""
    if given.startswith(HUGGING_FACE):
        raise UsageError(f"{given!r} is known to Hugging Face alone: see its page there")
    folder = find(given, cache_dir)
    checkpoint.verify(folder)
    return _summary(given, folder, _kind(given, folder, cache_dir))


def remove(name: str, cache_dir: Path | None = None) -> None:
    """Delete a converted captioner. Raises UsageError if there is none of that name, CacheError if it cannot be deleted."""
    if name not in converted_names(cache_dir):
        raise UsageError(f"no captioner called {name!r} was converted: igsearch model list shows those there are")
    folder = models_folder(cache_root(cache_dir)) / name
    try:
        (folder / checkpoint.SUMS).unlink(missing_ok=True)  # first, so that one half deleted is not taken for a whole one
        shutil.rmtree(folder)
    except OSError as err:
        raise CacheError(f"{str(folder)!r} cannot be deleted ({err.strerror}): check its permissions") from err


def _summary(name: str, folder: Path, kind: Literal["packaged", "converted", "folder"]) -> CaptionerSummary:
    try:
        config = CaptionerConfig.from_json((folder / checkpoint.CONFIG).read_text(encoding="utf-8"))
        n_words = len(Vocabulary.from_json((folder / checkpoint.VOCABULARY).read_text(encoding="utf-8")))
        with safe_open(folder / checkpoint.WEIGHTS, framework="numpy") as weights:
            n_parameters = sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118 - not a dict
    except (OSError, UnicodeDecodeError, SafetensorError) as err:
        raise CheckpointError(f"{folder} is not a whole checkpoint: {getattr(err, 'strerror', None) or err}") from err
    origin = _origin(folder)
    licence = origin.get("licence")
    val = tuple(_numbers(origin.get("val")))
    return CaptionerSummary(
        name, kind, folder, _n_bytes(folder), config.name, config.encoder, n_parameters, n_words, licence if isinstance(licence, str) else None, val
    )


def _kind(name: str, folder: Path, cache_dir: Path | None) -> Literal["packaged", "converted", "folder"]:
    if name == PACKAGED:
        return "packaged"
    return "converted" if folder == models_folder(cache_root(cache_dir)) / name else "folder"


def _n_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _origin(folder: Path) -> dict[str, Any]:
    """What the checkpoint says of its making; nothing, where that cannot be read, for nothing depends on it."""
    try:
        origin = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return origin if isinstance(origin, dict) else {}


def _numbers(val: object, prefix: str = "", depth: int = 3) -> Iterator[tuple[str, float]]:
    """The numbers in nested objects, each under the names that lead to it."""
    for name, value in val.items() if isinstance(val, dict) and depth else ():
        if isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < 1e9:
            yield f"{prefix}{name}", float(value)
        else:
            yield from _numbers(value, f"{prefix}{name} ", depth - 1)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a name longer than the file system has
        return False
