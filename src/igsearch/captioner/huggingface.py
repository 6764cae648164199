"""Captioners of Hugging Face: any image-to-text network of transformers that needs no prompt, from the Hub or from a folder (`igsearch[hf]`).

Of a model only data is read: JSON, vocabularies, and weights as safetensors. Code that a repository brings along is never run, and pickled weights are never
opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from igsearch.captioner.checkpoint import sha256
from igsearch.captioner.device import choose_device, choose_precision
from igsearch.captioner.pretrained import all_finite
from igsearch.errors import CacheError, CheckpointError, IgsearchError, LoginRequiredError, OfflineError, UsageError, first_line
from igsearch.records import Description, Hypothesis

if TYPE_CHECKING:
    from PIL import Image
    from transformers.generation.utils import GenerateOutput

BEAM_SIZE = 5
MAX_TOKENS = 50
"""A sentence's length, as the packaged captioner's; the longest of COCO's captions are about as long."""

CHUNK = {"cpu": 4, "cuda": 32, "mps": 8}
"""Photos per call: each keeps the scores of every word, for every hypothesis and step, until its sentences are found."""

EXAMPLE = "Salesforce/blip-image-captioning-base"
FILES = ("*.json", "*.jinja", "*.model", "*.safetensors", "*.txt")
ELSEWHERE = ("*/*", "adapter_config.json")
"""Weights in other formats and of other sizes lie in folders of their own; an adapter's file names a second model."""

UNUSABLE = (OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError, ImportError, ArithmeticError)
"""What transformers lets escape when it is asked for what a model cannot do, or its settings are damaged."""

IMPOSSIBLE = -1e8
"""transformers scores a beam's empty places at -1e9."""


class Network(NamedTuple):
    """A model with what prepares pictures for it and what turns its tokens into words."""

    model: Any
    image_processor: Any
    tokenizer: Any


class HuggingFaceCaptioner:
    """A model of Hugging Face on one device. Satisfies `records.Describer`.

    Its processor is handed every pixel there is, as in transformers' own examples.

    `given` is a repository of the Hub, as `OWNER/MODEL` or `OWNER/MODEL@REVISION`, or a folder. Raises UsageError if there is no such model, if it needs a
    prompt, or if transformers is not installed; LoginRequiredError, OfflineError, CacheError, CheckpointError or DeviceError.
    """

    min_side = None

    def __init__(self, given: str, *, device: str = "auto", beam_size: int | None = None, precision: torch.dtype | None = None) -> None:
        if beam_size is not None and beam_size < 1:
            raise UsageError(f"a beam of {beam_size} holds nothing: use --beam-size 1 or more")
        self.device = choose_device(device)
        self.precision = precision or choose_precision(self.device)
        self.beam_size = beam_size or BEAM_SIZE
        be_quiet()
        folder = local_folder(given)
        self._given = f"hf:{given}"
        self._network = load(folder, self._given, self.precision)
        self._network.model.to(self.device)
        self.name = f"{identity(given, folder)}-beam{self.beam_size}"

    def prepare(self, image: Image.Image) -> dict[str, Tensor]:
        """An RGB picture as the model's own processor makes it: tensors with a first axis of 1."""
        with as_usage_error(self._given):
            return dict(self._network.image_processor(images=image, return_tensors="pt"))

    def describe(self, pixels: Sequence[dict[str, Tensor]]) -> list[Description]:
        """Describe prepared pictures, in order."""
        step = CHUNK[self.device.type]
        with as_usage_error(self._given):
            return [one for first in range(0, len(pixels), step) for one in self._describe(pixels[first : first + step])]

    @torch.inference_mode()
    def _describe(self, pixels: Sequence[dict[str, Tensor]]) -> Iterator[Description]:
        """One call of the model. Its sentences are ranked by mean log-probability a token, as transformers does."""
        inputs = {key: self._on_device(torch.cat([one[key] for one in pixels])) for key in pixels[0]}
        found = self._network.model.generate(
            **inputs,
            num_beams=self.beam_size,
            num_return_sequences=self.beam_size,
            max_new_tokens=MAX_TOKENS,
            do_sample=False,
            length_penalty=1.0,
            return_dict_in_generate=True,
            output_scores=self.beam_size > 1,
            output_logits=self.beam_size == 1,
        )
        captions = [" ".join(text.split()) for text in self._network.tokenizer.batch_decode(found.sequences, skip_special_tokens=True)]
        logprobs = self._logprobs(found).tolist()
        for first in range(0, len(captions), self.beam_size):
            hypotheses = map(Hypothesis, captions[first : first + self.beam_size], logprobs[first : first + self.beam_size])
            yield description(hypotheses)

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.precision if tensor.is_floating_point() else None)

    def _logprobs(self, found: GenerateOutput) -> Tensor:
        """Each sequence's log-probability, summed over its tokens, the one that ends it included."""
        if self.beam_size > 1:
            n_tokens = (found.beam_indices >= 0).sum(dim=1)
            summed: Tensor = found.sequences_scores * n_tokens
            return summed
        scores = torch.stack(found.logits, dim=1).float().log_softmax(dim=2)
        tokens = found.sequences[:, -scores.shape[1] :]
        ended = torch.isin(tokens, torch.tensor(sorted(ends(self._network)), device=tokens.device))
        before = ended.cumsum(dim=1) - ended.long() == 0
        return scores.gather(2, tokens.unsqueeze(2)).squeeze(2).masked_fill(~before, 0.0).sum(dim=1)


def description(hypotheses: Iterator[Hypothesis]) -> Description:
    """The best sentence and the runners-up, none twice: different tokens can be the same words."""
    distinct: dict[str, Hypothesis] = {}
    for one in hypotheses:
        if one.logprob > IMPOSSIBLE:
            distinct.setdefault(one.caption, one)
    best, *others = distinct.values()
    return Description(best.caption, best.logprob, tuple(others))


def ends(network: Network) -> set[int]:
    """The tokens after which a model says nothing more."""
    configured = network.model.generation_config.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return {token for token in (*several, network.tokenizer.eos_token_id, network.tokenizer.sep_token_id) if token is not None}


def be_quiet() -> None:
    """Have transformers say nothing of its own, neither to the user nor to Hugging Face: what matters is raised. Raises UsageError if it is not there."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from transformers.utils import logging
    except ImportError as err:
        raise UsageError("--captioner hf:… needs transformers, which is not installed: pip install 'igsearch[hf]'") from err
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def local_folder(given: str) -> Path:
    """The folder with the model's files: `given` itself, or what of the Hub's repository is needed, in the Hub's own cache. Raises IgsearchError."""
    if is_folder(given):
        return Path(given).expanduser()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError, XetDownloadError
    from huggingface_hub.utils import httpx

    repository, _, revision = given.partition("@")
    page = f"https://huggingface.co/{repository}"
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(FILES), ignore_patterns=list(ELSEWHERE)))
    except GatedRepoError as err:
        raise LoginRequiredError(f"hf:{given} is given only to those who accept its terms: do so at {page}, then run hf auth login") from err
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as err:
        raise UsageError(f"there is no folder and no public model of Hugging Face called {given!r}: an example is hf:{EXAMPLE}") from err
    except (OSError, RuntimeError, httpx.HTTPError, XetDownloadError) as err:
        if isinstance(err, OSError) and err.errno is not None and err.strerror:
            raise CacheError(f"cannot keep hf:{given}: {err.strerror}; make room, or point HF_HOME elsewhere") from err
        raise OfflineError(f"cannot fetch hf:{given} from Hugging Face: try again when there is a connection, or name a folder that holds the model") from err


def is_folder(given: str) -> bool:
    """Whether `given` names a folder; whatever cannot be a path does not."""
    try:
        return bool(given) and Path(given).expanduser().is_dir()
    except (OSError, RuntimeError):
        return False


def load(folder: Path, given: str, precision: torch.dtype) -> Network:
    """Read a model for captions from its files. Raises CheckpointError if they are damaged or unsafe, UsageError if it is another kind of model."""
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{given} has no weights as safetensors, and pickled ones can run code, so they are not opened: name a revision that has them"
            " (hf:OWNER/MODEL@refs/pr/N), or save the model again with transformers' save_pretrained"
        )
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    with as_checkpoint_error(given):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise UsageError(f"{given} is a model of kind {config.model_type!r}, which makes no text of pictures: try hf:{EXAMPLE}")
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if tokenizer.chat_template is not None or any(folder.glob("chat_template.*")):
            raise UsageError(f"{given} answers questions in a chat; a captioner that needs none is hf:{EXAMPLE}")
        image_processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model, loading = AutoModelForImageTextToText.from_pretrained(
            folder,
            config=config,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="eager",  # a configuration may name one that is fetched from the Hub and run
            dtype=precision,
            output_loading_info=True,
        )
    if not all_finite(model.parameters()):
        raise CheckpointError(f"{given} has weights that are not numbers: it is damaged, or does not fit into this device's precision")
    if missing := sorted(loading["missing_keys"]):
        raise CheckpointError(f"{given} lacks {len(missing)} of its weights, {missing[0]} for one: fetch or save the model again")
    return Network(model.eval().requires_grad_(False), image_processor, tokenizer)


def identity(given: str, folder: Path) -> str:
    """What tells a model and its versions from others: its name, and 8 hexadecimal digits of the Hub's revision, or of the SHA-256 of a folder's weights."""
    if folder.parent.name == "snapshots":
        return f"hf:{given.partition('@')[0]}-{folder.name[:8]}"
    sums = "".join(map(sha256, sorted(folder.glob("*.safetensors"))))
    return f"hf:{folder.resolve().name}-{hashlib.sha256(sums.encode()).hexdigest()[:8]}"


@contextmanager
def as_checkpoint_error(given: str) -> Iterator[None]:
    """Files that transformers cannot make sense of are one line. Raises CheckpointError."""
    try:
        yield
    except IgsearchError:
        raise
    except Exception as err:  # tokenizers raises Exception itself; safetensors and the checked configurations have classes of their own
        raise CheckpointError(f"{given} cannot be read by transformers: {first_line(err)}") from err


@contextmanager
def as_usage_error(given: str) -> Iterator[None]:
    """What goes wrong inside a model that was loaded without complaint is one line. Raises UsageError."""
    try:
        yield
    except torch.OutOfMemoryError as err:
        raise UsageError(f"{given} does not fit into the device's memory: use a smaller --batch-size or --beam-size, or --device cpu") from err
    except UNUSABLE as err:
        raise UsageError(f"{given} cannot describe a picture by itself: {first_line(err)}; a captioner that can is hf:{EXAMPLE}") from err
