"""A captioner on disk: a folder with weights, configuration, vocabulary and the SHA-256 sums that are checked before anything is parsed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from safetensors import SafetensorError

from igsearch.captioner.config import CaptionerConfig
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")

WEIGHTS, CONFIG, VOCABULARY, SUMS = "model.safetensors", "config.json", "vocabulary.json", "SHA256SUMS"
PARTS = (WEIGHTS, CONFIG, VOCABULARY)

OTHER_SHAPES = "the checkpoint's weights do not have the shapes its configuration says: it is damaged or of another kind"
NOT_NUMBERS = "some of the checkpoint's weights are not numbers: it is damaged"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint; `digest` is the SHA-256 of its weights, in hexadecimal."""

    config: CaptionerConfig
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    digest: str

    @property
    def is_half(self) -> bool:
        """Whether the weights were rounded to 16 bits, so that there is nothing to lose by computing in as many."""
        return all(weight.itemsize <= 2 for weight in self.weights.values())


def packaged() -> Path:
    """The folder of the checkpoint that ships with igsearch."""
    return Path(str(files("igsearch"))) / "assets"


def sha256(path: Path) -> str:
    """A file's SHA-256 in hexadecimal. Raises CheckpointError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise CheckpointError(f"cannot read {path}: {err.strerror}; reinstall igsearch, or name a whole checkpoint") from err


def verify(folder: Path) -> dict[str, str]:
    """The sums of a checkpoint's parts, after comparing each with its file. Raises CheckpointError."""
    try:
        lines = (folder / SUMS).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise CheckpointError(f"{folder} is not a checkpoint: it has no readable {SUMS}") from err
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for part in PARTS:
        if not hmac.compare_digest(sums.get(part, ""), sha256(folder / part)):
            raise CheckpointError(f"{folder / part} is damaged: its SHA-256 is not the one in {SUMS}; reinstall igsearch, or convert the checkpoint again")
    return sums


def captioner_name(config: CaptionerConfig, digest: str, beam_size: int | None) -> str:
    """What identifies a checkpoint and how it is searched, its own choice of a beam for None. Raises UsageError for a beam narrower than one."""
    if beam_size is not None and beam_size < 1:
        raise UsageError(f"a beam of {beam_size} holds nothing: use --beam-size 1 or more")
    return f"{config.name}-{digest[:8]}-beam{beam_size or config.search.beam_size}"


def read(folder: Path) -> tuple[CaptionerConfig, Vocabulary, str]:
    """Verify all, then read all but the weights, of which there is the SHA-256. Raises as `load` does."""
    sums = verify(folder)
    try:
        config = CaptionerConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
        vocabulary = Vocabulary.from_json((folder / VOCABULARY).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as err:
        raise CheckpointError(f"{folder} is not a checkpoint: its {CONFIG} or {VOCABULARY} is not readable text") from err
    if len(vocabulary) != config.decoder.vocabulary_size:
        raise CheckpointError(f"{folder}: the vocabulary has {len(vocabulary)} words, the network {config.decoder.vocabulary_size}")
    return config, vocabulary, sums[WEIGHTS]


def load(folder: Path) -> Checkpoint:
    """Verify, then read, into torch's tensors. Raises CheckpointError if a file is missing, altered, or does not fit the others."""
    from safetensors.torch import load_file  # which imports torch: what there is to know of a checkpoint is known without

    config, vocabulary, digest = read(folder)
    return Checkpoint(config, vocabulary, _weights(folder, load_file), digest)


def arrays(folder: Path) -> dict[str, NDArray[np.floating]]:
    """Verify, then read the weights alone, into numpy's arrays. Raises CheckpointError as `load` does."""
    from safetensors.numpy import load_file

    verify(folder)
    return _weights(folder, load_file)


def _weights(folder: Path, load_file: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    try:
        return load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, LookupError, AttributeError, TypeError) as err:  # the last three: of a type of number that the library does not have
        raise CheckpointError(f"{folder / WEIGHTS} is not a safetensors file: {err}") from err


def save(folder: Path, config: CaptionerConfig, vocabulary: Vocabulary, weights: dict[str, Tensor], *, half: bool = True) -> None:
    """Write a checkpoint, weights as float16, or float32; the sums come last, so a folder without them is not a checkpoint."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    rounded = {name: (tensor.half() if half else tensor.float()).detach().contiguous() for name, tensor in weights.items()}
    save_file(rounded, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable for its owner alone
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")
    (folder / VOCABULARY).write_text(vocabulary.to_json(), encoding="utf-8")
    lines = "".join(f"{sha256(folder / part)}  {part}\n" for part in PARTS)
    partial = folder / f"{SUMS}.partial"
    partial.write_text(lines, encoding="ascii")
    partial.replace(folder / SUMS)
