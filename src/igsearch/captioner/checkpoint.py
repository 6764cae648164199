"""A captioner on disk: a folder with weights, configuration, vocabulary and the SHA-256 sums that are checked before anything is parsed."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from igsearch.captioner.config import CaptionerConfig
from igsearch.captioner.vocabulary import Vocabulary
from igsearch.errors import CheckpointError

WEIGHTS, CONFIG, VOCABULARY, SUMS = "model.safetensors", "config.json", "vocabulary.json", "SHA256SUMS"
PARTS = (WEIGHTS, CONFIG, VOCABULARY)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint; `digest` is the SHA-256 of its weights, in hexadecimal."""

    config: CaptionerConfig
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    digest: str


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


def load(folder: Path) -> Checkpoint:
    """Verify, then read. Raises CheckpointError if a file is missing, altered, or does not fit the others."""
    sums = verify(folder)
    config = CaptionerConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
    vocabulary = Vocabulary.from_json((folder / VOCABULARY).read_text(encoding="utf-8"))
    if len(vocabulary) != config.decoder.vocabulary_size:
        raise CheckpointError(f"{folder}: the vocabulary has {len(vocabulary)} words, the network {config.decoder.vocabulary_size}")
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as err:
        raise CheckpointError(f"{folder / WEIGHTS} is not a safetensors file: {err}") from err
    return Checkpoint(config, vocabulary, weights, sums[WEIGHTS])


def save(folder: Path, config: CaptionerConfig, vocabulary: Vocabulary, weights: dict[str, Tensor]) -> None:
    """Write a checkpoint, weights as float16; the sums come last, so a folder without them is not a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    halves = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in weights.items()}
    save_file(halves, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable for its owner alone
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")
    (folder / VOCABULARY).write_text(vocabulary.to_json(), encoding="utf-8")
    lines = "".join(f"{sha256(folder / part)}  {part}\n" for part in PARTS)
    partial = folder / f"{SUMS}.partial"
    partial.write_text(lines, encoding="ascii")
    partial.replace(folder / SUMS)
