"""What a checkpoint says of itself: the network's sizes, how pixels are prepared and how sentences are searched for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from igsearch.captioner.decoder import DecoderConfig
from igsearch.errors import CheckpointError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """RGB pictures are squashed to `size` × `size` pixels (aspect not kept), scaled to 0…1, less `mean`, over `std`, per channel."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"


@dataclass(frozen=True, slots=True)
class Search:
    """The checkpoint's own choice of beam search; a caller may override the beam size.

    From each of the tokens `starts` a beam of its own begins: a start token stands for the set of captions whose style follows it. All sentences compete.
    """

    starts: tuple[str, ...]
    beam_size: int = 5
    length_penalty: float = 0.0
    max_words: int = 50
    speaks_special: bool = False


@dataclass(frozen=True, slots=True)
class CaptionerConfig:
    """A whole `config.json`."""

    name: str
    encoder: str
    decoder: DecoderConfig
    preprocessing: Preprocessing
    search: Search

    @classmethod
    def from_json(cls, text: str) -> CaptionerConfig:
        """Raises CheckpointError if it is not JSON, of another format version, or lacks or adds a field."""
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields.pop("format_version")
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise CheckpointError("config.json is not a captioner's configuration") from err
        if version != FORMAT_VERSION:
            raise CheckpointError(f"config.json has format {version!r}, this igsearch reads {FORMAT_VERSION}: upgrade igsearch")
        try:
            preprocessing = fields.pop("preprocessing")
            preprocessing |= {key: tuple(preprocessing[key]) for key in ("mean", "std")}
            search = fields.pop("search")
            search |= {"starts": tuple(search["starts"])}
            decoder, search = DecoderConfig(**fields.pop("decoder")), Search(**search)
            return cls(decoder=decoder, preprocessing=Preprocessing(**preprocessing), search=search, **fields)
        except (KeyError, TypeError) as err:
            raise CheckpointError(f"config.json does not fit this igsearch: {err}") from err

    def to_json(self) -> str:
        """The text of `config.json`."""
        return json.dumps({"format_version": FORMAT_VERSION} | asdict(self), indent=2) + "\n"
