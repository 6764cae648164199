"""A checkpoint of the tutorial "Show, Attend, and Tell: a PyTorch Tutorial to Image Captioning" (github.com/sgrvinod), as a captioner of igsearch's own.

The file holds whole pickled modules, or where somebody saved it again their state dicts, and neither sizes nor words: the sizes are read from the tensors'
shapes, the words come from the word map beside it. Pictures are prepared and sentences searched for as in the tutorial's caption.py.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from igsearch.captioner import torchfile
from igsearch.captioner.config import CaptionerConfig, DecoderConfig, Preprocessing, Search
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.resnet import BLOCKS, ResNetEncoder
from igsearch.captioner.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from igsearch.errors import CheckpointError, UsageError

PREPROCESSING = Preprocessing(256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear", reducing_gap=None)
SEARCH = Search((START,), beam_size=5, length_penalty=0.0, max_words=50, speaks_special=True)
GRID = 14

PARTS = ("encoder", "decoder")
UNUSED = "num_batches_tracked"
"""A counter of training, which files from before torch 0.4.1 lack."""
DATA_PARALLEL = "module."
MAX_WORD_MAP_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Saved:
    """A file of weights whose structure was read: the shape of each tensor by name, how to get at its numbers, and what else the file says."""

    shapes: Mapping[str, tuple[int, ...]]
    tensor: Callable[[str], Tensor]
    grid: object = None
    epoch: object = None
    bleu4: object = None


@dataclass(frozen=True, slots=True)
class Converted:
    """What a checkpoint of igsearch's own is made of; `epoch` and `bleu4` (teacher-forced, 0…1) are what the tutorial's file says of itself."""

    config: CaptionerConfig
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    epoch: int | None
    bleu4: float | None


def read(path: Path, word_map: Path, *, name: str) -> Converted:
    """The tutorial's checkpoint at `path` with its WORDMAP file, to be called `name`.

    Raises UsageError if one of them is no file, CheckpointError if it is damaged, hostile, or does not fit the other.
    """
    for given in (path, word_map):
        require_file(given)
    vocabulary = read_word_map(word_map)
    saved = _open(path)
    config = CaptionerConfig(name, _encoder_name(saved, path), _decoder_config(saved, path), PREPROCESSING, SEARCH, _grid(saved.grid))
    if config.decoder.vocabulary_size != len(vocabulary):
        raise CheckpointError(
            f"{str(word_map)!r} has {len(vocabulary)} words, the decoder in {str(path)!r} {config.decoder.vocabulary_size}: "
            "it is the word map of another checkpoint"
        )
    _require_shapes(saved, config, path)
    weights = {name: _finite(saved.tensor(name), name, path) for name in saved.shapes}
    epoch = saved.epoch if type(saved.epoch) is int and abs(saved.epoch) < 10**9 else None
    return Converted(config, vocabulary, weights, epoch, saved.bleu4 if isinstance(saved.bleu4, float) and 0 <= saved.bleu4 <= 1 else None)


def require_file(path: Path) -> None:
    """Raises UsageError if `path` is not a file that can be opened. A pipe is not, for opening it would wait."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
        if is_file:
            path.open("rb").close()
    except (OSError, ValueError) as err:
        raise UsageError(f"cannot read {str(path)!r}: {getattr(err, 'strerror', None) or err}") from err
    if not is_file:
        raise UsageError(f"{str(path)!r} is not a regular file")


def read_word_map(path: Path) -> Vocabulary:
    """The tutorial's WORDMAP file: one JSON object, word to id. Raises CheckpointError if it is anything else, or the ids are not 0 to V - 1, each once."""
    try:
        if path.stat().st_size > MAX_WORD_MAP_BYTES:
            raise CheckpointError(f"{str(path)!r} is larger than any word map")
        word_map = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as err:
        raise CheckpointError(f"{str(path)!r} is not a word map: it is not JSON") from err
    if not isinstance(word_map, dict) or not all(type(position) is int for position in word_map.values()):
        raise CheckpointError(f"{str(path)!r} is not a word map: it is not one JSON object of words and their numbers")
    words = sorted(word_map, key=lambda word: int(word_map[word]))
    if [word_map[word] for word in words] != list(range(len(words))):
        raise CheckpointError(f"{str(path)!r} is not a word map: its numbers are not 0 to {len(words) - 1}, each once")
    if odd := next((word for word in words if not word.isprintable()), None):
        raise CheckpointError(f"{str(path)!r} is not a word map: {odd[:40]!a} cannot be printed")
    if missing := {PAD, UNKNOWN, START, END} - set(words):
        raise CheckpointError(f"{str(path)!r} is not a word map: it lacks {', '.join(sorted(missing))}")
    return Vocabulary(tuple(words))


def _open(path: Path) -> Saved:
    """The structure of a file of weights, of `torch.save` or of safetensors."""
    with path.open("rb") as file:
        is_safetensors = file.read(9)[8:] == b"{"
    saved = _open_safetensors(path) if is_safetensors else _open_torch(path)
    if not all(any(name.startswith(f"{part}.") for name in saved.shapes) for part in PARTS):
        raise CheckpointError(f"{str(path)!r} is not a checkpoint of the tutorial: it has no encoder and decoder with weights")
    return saved


def _open_torch(path: Path) -> Saved:
    file = torchfile.read(path)
    root: dict[Any, Any] = dict(torchfile.items(file.root))
    notes = {}
    for part in PARTS:
        members = torchfile.named_tensors(root.get(part)).items()
        notes.update({f"{part}.{_plain_name(name)}": note for name, note in members if not name.endswith(UNUSED)})
    if not notes:
        notes = {_plain_name(name): note for name, note in torchfile.named_tensors(file.root).items() if not name.endswith(UNUSED)}
    shapes = {name: note.shape for name, note in notes.items()}
    grid = torchfile.attribute(root.get("encoder"), "enc_image_size")
    return Saved(shapes, lambda name: file.tensor(notes[name]), grid, root.get("epoch"), root.get("bleu-4"))


def _open_safetensors(path: Path) -> Saved:
    try:
        with safe_open(path, framework="pt") as file:
            given = {_plain_name(name): name for name in file.keys() if not name.endswith(UNUSED)}  # noqa: SIM118 - not a dict
            shapes = {name: tuple(file.get_slice(name_there).get_shape()) for name, name_there in given.items()}
    except (SafetensorError, OSError) as err:
        raise CheckpointError(f"{str(path)!r} is not a safetensors file, or it is damaged: get it anew") from err

    def tensor(name: str) -> Tensor:
        with safe_open(path, framework="pt") as file:
            loaded: Tensor = file.get_tensor(given[name])
        return loaded.to(torch.float32)

    return Saved(shapes, tensor)


def _plain_name(name: str) -> str:
    """A tensor's name without the marks of data-parallel training."""
    return name.replace(DATA_PARALLEL, "")


def _size(saved: Saved, name: str, axis: int, path: Path) -> int:
    shape = saved.shapes.get(name, ())
    if len(shape) <= axis:
        raise CheckpointError(f"{str(path)!r} is not a checkpoint of the tutorial: it lacks {name}")
    return shape[axis]


def _encoder_name(saved: Saved, path: Path) -> str:
    """Which ResNet it is, by the blocks of its four stages."""
    found = {(int(stage), int(block)) for name in saved.shapes for stage, block in re.findall(r"^encoder\.resnet\.([4-7])\.([0-9]{1,3})\.", name)}
    blocks = tuple(sum(at == stage for at, _ in found) for stage in range(4, 8))
    for name, known in BLOCKS.items():
        if known == blocks:
            return name
    raise CheckpointError(f"the encoder in {str(path)!r} has stages of {blocks} blocks, which is none of {', '.join(BLOCKS)}")


def _decoder_config(saved: Saved, path: Path) -> DecoderConfig:
    """The decoder's sizes, from its tensors' shapes."""
    attention_dim, encoder_dim = (_size(saved, "decoder.attention.encoder_att.weight", axis, path) for axis in (0, 1))
    vocabulary_size, embed_dim = (_size(saved, "decoder.embedding.weight", axis, path) for axis in (0, 1))
    decoder_dim = _size(saved, "decoder.attention.decoder_att.weight", 1, path)
    return DecoderConfig(vocabulary_size, encoder_dim, attention_dim, embed_dim, decoder_dim)


def _grid(given: object) -> int:
    """Cells a side: what the encoder says of itself, else the tutorial's 14."""
    return given if type(given) is int and 0 < given <= 64 else GRID


def _require_shapes(saved: Saved, config: CaptionerConfig, path: Path) -> None:
    """Raises CheckpointError at the first tensor that is missing, of another shape, or not of these networks."""
    with torch.device("meta"):
        networks = torch.nn.ModuleDict({"encoder": ResNetEncoder(config.encoder), "decoder": AttentionDecoder(config.decoder)})
    expected = {name: tuple(tensor.shape) for name, tensor in networks.state_dict().items() if not name.endswith(UNUSED)}
    for name in sorted(expected.keys() | saved.shapes.keys()):
        there, wanted = saved.shapes.get(name), expected.get(name)
        if there != wanted:
            what = f"has no {name}" if there is None else f"has {name[:80]!r} of shape {there}{f', not {wanted}' if wanted else ''}"
            raise CheckpointError(f"{str(path)!r} is not a checkpoint of the tutorial: it {what}")


def _finite(tensor: Tensor, name: str, path: Path) -> Tensor:
    if not bool(tensor.isfinite().all()):
        raise CheckpointError(f"{str(path)!r} is damaged: {name} has values that are not numbers")
    return tensor
