"""What a checkpoint says of itself: the network's sizes, how pixels are prepared and how sentences are searched for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from PIL.Image import Resampling

from igsearch.errors import CheckpointError

FORMAT_VERSION = 1

LARGEST = {"size": 4096, "grid": 64, "beam_size": 1000, "max_words": 1000}
"""The greatest value of a number of that name; of all others, `LARGEST_SIZE`."""
LARGEST_SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The sizes of a decoder.

    `annotation_dim` None: the grid is used as it comes; `deep_output`: equation 7 of the paper instead of one linear map; `n_styles`: how many styles of
    caption the decoder weighs for a photo, one for each start token, None if it weighs none.
    """

    vocabulary_size: int
    encoder_dim: int
    attention_dim: int = 512
    embed_dim: int = 512
    decoder_dim: int = 512
    annotation_dim: int | None = None
    deep_output: bool = False
    n_styles: int | None = None


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """RGB pictures are squashed to `size` × `size` pixels (aspect not kept), scaled to 0…1, less `mean`, over `std`, per channel.

    `interpolation` and `reducing_gap` are those of Pillow's `resize`; a gap of None is slower and exact.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    reducing_gap: float | None = 3.0


@dataclass(frozen=True, slots=True)
class Search:
    """The checkpoint's own choice of beam search; a caller may override the beam size.

    The beam begins with the tokens `starts`: each stands for the set of captions whose style follows it. All sentences compete.
    """

    starts: tuple[str, ...]
    beam_size: int = 5
    length_penalty: float = 0.0
    max_words: int = 50
    speaks_special: bool = False


@dataclass(frozen=True, slots=True)
class CaptionerConfig:
    """A whole `config.json`. With `grid`, the feature map is averaged, or repeated, to so many cells a side before the decoder looks at it."""

    name: str
    encoder: str
    decoder: DecoderConfig
    preprocessing: Preprocessing
    search: Search
    grid: int | None = None

    @classmethod
    def from_json(cls, text: str) -> CaptionerConfig:
        """Raises CheckpointError if it is not JSON, of another format version, lacks or adds a field, or has one of no sensible value."""
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields.pop("format_version")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
            raise CheckpointError("config.json is not a captioner's configuration") from err
        if version != FORMAT_VERSION:
            raise CheckpointError(f"config.json has format {version!r}, this igsearch reads {FORMAT_VERSION}: upgrade igsearch")
        try:
            preprocessing = fields.pop("preprocessing")
            preprocessing |= {key: tuple(preprocessing[key]) for key in ("mean", "std")}
            search = fields.pop("search")
            search |= {"starts": tuple(search["starts"])}
            decoder, search = DecoderConfig(**fields.pop("decoder")), Search(**search)
            config = cls(decoder=decoder, preprocessing=Preprocessing(**preprocessing), search=search, **fields)
        except (KeyError, TypeError) as err:
            raise CheckpointError(f"config.json does not fit this igsearch: {err}") from err
        for name, value in config.numbers():
            if type(value) is not int or not 0 < value <= LARGEST.get(name, LARGEST_SIZE):
                raise CheckpointError(f"config.json has a {name} of no use: 1 to {LARGEST.get(name, LARGEST_SIZE)} are possible")
        if not config.is_typed():
            raise CheckpointError("config.json has a value of the wrong kind among its preprocessing or search")
        return config

    def numbers(self) -> list[tuple[str, object]]:
        """Every size and count with its name, those that are None left out."""
        sizes = {name: value for name, value in asdict(self.decoder).items() if name != "deep_output"}
        counts = {"size": self.preprocessing.size, "grid": self.grid, "beam_size": self.search.beam_size, "max_words": self.search.max_words}
        return [(name, value) for name, value in (sizes | counts).items() if value is not None]

    def is_typed(self) -> bool:
        """Whether texts are texts and means, deviations and factors are numbers that can be computed with."""
        preprocessing, search = self.preprocessing, self.search
        texts: tuple[object, ...] = (self.name, self.encoder, preprocessing.interpolation, *search.starts)
        gap = 1.0 if preprocessing.reducing_gap is None else preprocessing.reducing_gap
        numbers: tuple[object, ...] = (*preprocessing.mean, *preprocessing.std, search.length_penalty, gap)
        return (
            all(isinstance(one, str) for one in texts)
            and all(isinstance(one, float | int) and abs(one) < LARGEST_SIZE for one in numbers)
            and (len(preprocessing.mean), len(preprocessing.std)) == (3, 3)
            and min(preprocessing.std) > 0
            and gap >= 1
            and preprocessing.interpolation.upper() in Resampling.__members__
            and len(search.starts) > 0
            and self.decoder.n_styles in (None, len(search.starts))
        )

    def to_json(self) -> str:
        """The text of `config.json`."""
        return json.dumps({"format_version": FORMAT_VERSION} | asdict(self), indent=2) + "\n"
