"""Captioners of Hugging Face, on tiny models of the real classes: the sentences, their log-probabilities, and everything that is refused."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed, so there is nothing of Hugging Face to test: pip install 'igsearch[hf]'")

from igsearch import images
from igsearch.captioner.huggingface import MAX_TOKENS, HuggingFaceCaptioner
from igsearch.errors import CheckpointError, OfflineError, UsageError
from tests import tiny_huggingface as tiny

if TYPE_CHECKING:
    from PIL import Image


@pytest.fixture(scope="module", autouse=True)
def no_hub() -> Any:  # noqa: ANN401 - a generator of nothing
    """No test here may ask the Hub, and transformers' own progress stays off the report."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each kind of model."""
    return {kind: tiny.make(kind, tmp_path_factory.mktemp("models") / kind) for kind in tiny.KINDS}


@pytest.fixture(scope="module")
def photos(sample_photos: Path) -> list[Image.Image]:
    """Five of the sample photos."""
    return [images.decode(file.read_bytes(), at_least=64) for file in sorted(sample_photos.glob("*.jpg"))[:5]]


def opened(folder: Path, beam_size: int | None = None) -> HuggingFaceCaptioner:
    """The captioner in `folder`, on the CPU in float32."""
    return HuggingFaceCaptioner(str(folder), device="cpu", beam_size=beam_size, precision=torch.float32)


@pytest.fixture
def blip(models: dict[str, Path], tmp_path: Path) -> Path:
    """A model of the test's own to spoil."""
    return shutil.copytree(models["blip"], tmp_path / "blip")


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_batch_is_described_as_one_at_a_time(models: dict[str, Path], photos: list[Image.Image], kind: str, beam_size: int) -> None:
    """Five photos together, more than go into one call, get the sentences they get alone; words only, no special tokens, none twice, best first."""
    captioner = opened(models[kind], beam_size)
    pixels = [captioner.prepare(photo) for photo in photos]
    together = captioner.describe(pixels)
    alone = [captioner.describe([one])[0] for one in pixels]
    assert [one.caption for one in together] == [one.caption for one in alone]
    assert [one.logprob for one in together] == pytest.approx([one.logprob for one in alone], abs=1e-3)
    for one in together:
        captions = [one.caption, *(other.caption for other in one.alternatives)]
        assert len(captions) == len(set(captions)) <= beam_size
        assert all(caption == " ".join(caption.split()) and set(caption.split()) <= set(tiny.WORDS) for caption in captions)


def reference_logprob(captioner: HuggingFaceCaptioner, kind: str, pixels: torch.Tensor, caption: str) -> float:
    """The sum of the log-probabilities of the caption's words, and of the end where there was room for it, each computed from the beginning."""
    words = [5 + tiny.WORDS.index(word) for word in caption.split()]
    tokens = [*words, tiny.SEP] if len(words) < MAX_TOKENS else words
    model = captioner._network.model  # noqa: SLF001 - the reference computes with the same weights
    ids = torch.tensor([[tiny.CLS if kind == "git" else tiny.START, *tokens]])
    if kind == "blip":
        seen = model.vision_model(pixel_values=pixels)[0]
        logits = model.text_decoder(input_ids=ids, encoder_hidden_states=seen).logits
    elif kind == "git":
        logits = model(input_ids=ids, pixel_values=pixels).logits[:, -ids.shape[1] :]
    else:
        logits = model(pixel_values=pixels, decoder_input_ids=ids).logits
    scores = logits[0, :-1].log_softmax(dim=1)
    return float(sum(scores[position, token] for position, token in enumerate(tokens)))


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logprob_is_the_sum_over_the_words(models: dict[str, Path], photos: list[Image.Image], kind: str, beam_size: int) -> None:
    """Every sentence's log-probability, best and runner-up, is what the network gives its words one by one, `<end>` included."""
    captioner = opened(models[kind], beam_size)
    pixels = [captioner.prepare(photo) for photo in photos]
    for one, picture in zip(captioner.describe(pixels), pixels, strict=True):
        assert one.logprob is not None
        for caption, logprob in [(one.caption, one.logprob), *((other.caption, other.logprob) for other in one.alternatives)]:
            assert logprob == pytest.approx(reference_logprob(captioner, kind, picture["pixel_values"], caption), abs=1e-2)


@pytest.mark.parametrize("kind", ["git", "vit-gpt2"])
def test_photos_get_sentences_of_their_own(models: dict[str, Path], photos: list[Image.Image], kind: str) -> None:
    """The tests above saw different sentences for different photos, of several lengths, that ended; a wider beam finds runners-up."""
    captioner = opened(models[kind], 3)
    described = captioner.describe([captioner.prepare(photo) for photo in photos])
    assert len({one.caption for one in described}) >= 3
    assert any(1 < len(one.caption.split()) < MAX_TOKENS for one in described)
    assert any(one.alternatives for one in described)


def test_the_name_tells_models_and_beams_apart(models: dict[str, Path]) -> None:
    """Folder, weights and beam are in the name; the default beam is 5."""
    names = {opened(folder, beam_size).name for folder in models.values() for beam_size in (1, 2, None)}
    assert len(names) == 9
    assert opened(models["blip"]).name.startswith("hf:blip-")
    assert opened(models["blip"]).name.endswith("-beam5")


def test_no_pictures_no_descriptions(models: dict[str, Path]) -> None:
    """An empty batch is an empty answer."""
    assert opened(models["blip"]).describe([]) == []


class Trap:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        """Leave it at `mark`."""
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_pickled_weights_are_refused_unopened(blip: Path, tmp_path: Path) -> None:
    """A model with pytorch_model.bin alone is refused with the remedy, and what is in the pickle does not run."""
    (blip / "model.safetensors").unlink()
    (blip / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    with pytest.raises(CheckpointError, match=r"safetensors.*refs/pr.*save_pretrained"):
        opened(blip)
    assert not (tmp_path / "mark").exists()


def test_code_in_a_repository_is_not_run(blip: Path, tmp_path: Path) -> None:
    """`auto_map` names Python files beside the weights: they are not imported, whatever else becomes of the model."""
    code = f"from pathlib import Path\nPath({str(tmp_path / 'mark')!r}).touch()\n"
    (blip / "evil.py").write_text(code)
    config = json.loads((blip / "config.json").read_text())
    for name in ("config.json", "preprocessor_config.json", "tokenizer_config.json"):
        auto_map = {"AutoConfig": "evil.A", "AutoModelForImageTextToText": "evil.B", "AutoImageProcessor": "evil.C", "AutoTokenizer": ["evil.D", "evil.D"]}
        altered(blip / name, {"auto_map": auto_map})
    altered(blip / "config.json", {"model_type": config["model_type"]})
    with contextlib.suppress(CheckpointError):
        opened(blip)
    altered(blip / "config.json", {"model_type": "unheard-of"})
    with pytest.raises(CheckpointError):
        opened(blip)
    assert not (tmp_path / "mark").exists()


def altered(file: Path, changes: dict[str, object]) -> None:
    """Set fields of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_configuration_cannot_choose_code_from_the_hub(blip: Path) -> None:
    """An attention implementation named in the files, which transformers would fetch and run, is passed over."""
    altered(blip / "config.json", {"_attn_implementation": "somebody/kernels", "attn_implementation": "somebody/kernels"})
    assert opened(blip)._network.model.config._attn_implementation == "eager"  # noqa: SLF001 - transformers has no other name for it


@pytest.mark.parametrize(
    ("name", "changes", "error", "says"),
    [
        ("config.json", {"model_type": "bert"}, UsageError, "'bert', which makes no text of pictures"),
        ("config.json", {"model_type": "unheard-of"}, CheckpointError, "cannot be read"),
        ("config.json", {"text_config": {"hidden_size": -1}}, CheckpointError, "cannot be read"),
        ("config.json", {"text_config": 7}, CheckpointError, "cannot be read"),
        ("tokenizer_config.json", {"chat_template": "{{ messages }}"}, UsageError, "chat"),
        ("tokenizer.json", {"model": {"type": "BPE"}}, CheckpointError, "cannot be read"),
        ("preprocessor_config.json", {"image_processor_type": "NoSuchProcessor"}, CheckpointError, "cannot be read"),
    ],
    ids=["no captioner", "unknown kind", "negative", "wrong type", "chat", "tokenizer", "processor"],
)
def test_other_models_are_refused_in_a_line(blip: Path, name: str, changes: dict[str, object], error: type[Exception], says: str) -> None:
    """What is no captioner, or needs a chat, or is damaged: one line that names the model and says which."""
    altered(blip / name, changes)
    with pytest.raises(error, match=says) as caught:
        opened(blip)
    assert str(blip) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe\x00", None], ids=["empty", "cut", "nested", "binary", "missing"])
def test_damaged_files_are_refused_in_a_line(blip: Path, name: str, content: bytes | None) -> None:
    """Each of the files missing, empty, cut, foreign or nested 100,000 deep is a CheckpointError of one line."""
    if content is None:
        (blip / name).unlink()
    else:
        (blip / name).write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        opened(blip)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["lacking", "not finite"])
def test_weights_that_are_not_whole_are_refused(blip: Path, spoil: str) -> None:
    """Left to itself transformers would fill what is missing with random numbers, and compute with what is not a number."""
    from safetensors.torch import load_file, save_file

    weights = load_file(blip / "model.safetensors")
    name = next(name for name in weights if name.endswith("dense.weight"))
    if spoil == "lacking":
        del weights[name]
    else:
        weights[name][0, 0] = torch.nan
    save_file(weights, blip / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks" if spoil == "lacking" else "not numbers"):
        opened(blip)


@pytest.mark.parametrize("given", ["somebody/something", "somebody/something@refs/pr/4"])
def test_without_a_connection_a_line_says_so(given: str) -> None:
    """A model that is not in the Hub's cache cannot be had offline."""
    with pytest.raises(OfflineError, match="somebody/something"):
        HuggingFaceCaptioner(given, device="cpu")


@pytest.mark.parametrize("given", ["", "a b", "./nowhere", "a/b/c", "~nobody-here/model", "x" * 300, "nul\0", "owner/name\n", "owner/\x1b[31m"])
def test_a_name_that_is_none_is_refused(given: str) -> None:
    """Neither a folder nor a repository's name."""
    with pytest.raises(UsageError, match="no folder and no public model"):
        HuggingFaceCaptioner(given, device="cpu")


def test_a_beam_that_holds_nothing_is_refused() -> None:
    """As with the packaged captioner."""
    with pytest.raises(UsageError, match="--beam-size"):
        HuggingFaceCaptioner("somebody/something", beam_size=0)
