"""The tutorial's checkpoints: whichever way they were saved, their words are the tutorial's, and nothing in a hostile one is run."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from igsearch import images
from igsearch.captioner import catalogue, checkpoint, sgrvinod, torchfile
from igsearch.captioner.captioner import Captioner
from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.conversion import convert
from igsearch.captioner.decoder import AttentionDecoder
from igsearch.captioner.resnet import ResNetEncoder
from igsearch.errors import CheckpointError, IgsearchError, UsageError
from igsearch.fetch import Fetcher
from igsearch.loading import loader
from igsearch.records import Photo
from tests.unit.captioner import lookalike
from tests.unit.captioner.lookalike import LEGACY_HEAD, WORDS

PHOTOS = ("cat.jpg", "coffee.jpg", "rocket.jpg", "astronaut.jpg")
TOLERANCE = 2e-3
"""How far log-probabilities of up to 51 words may lie apart when sums are taken in another order."""

Networks = tuple[lookalike.Encoder, lookalike.DecoderWithAttention]


@pytest.fixture(scope="module")
def networks() -> Networks:
    """The tutorial's two modules with random weights."""
    return lookalike.networks(2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, networks: Networks) -> Path:
    """A folder with a whole checkpoint in the zip format, and its word map."""
    folder = tmp_path_factory.mktemp("tutorial")
    lookalike.save(lookalike.content(*networks), folder / "checkpoint.pth.tar", zipped=True)
    lookalike.save_word_map(folder / "WORDMAP.json")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    """A cache in which that checkpoint was converted as `look`."""
    folder = tmp_path_factory.mktemp("cache")
    convert(files / "checkpoint.pth.tar", files / "WORDMAP.json", name="look", cache_dir=folder)
    return folder


def states(encoder: lookalike.Encoder, decoder: lookalike.DecoderWithAttention) -> dict[str, dict[str, torch.Tensor]]:
    """The state dicts of both."""
    return {"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}


def flat(parts: dict[str, dict[str, torch.Tensor]], between: str = "") -> dict[str, torch.Tensor]:
    """Both in one, `encoder.` or `decoder.` before each name."""
    return {f"{part}.{between}{name}": tensor.contiguous() for part, named in parts.items() for name, tensor in named.items()}


def save_safetensors(path: Path, networks: Networks) -> Path:
    """Both state dicts as safetensors."""
    save_file(flat(states(*networks)), path)
    return path


SAVED: dict[str, Callable[[Path, Networks], object]] = {
    "zip": lambda path, both: lookalike.save(lookalike.content(*both), path, zipped=True),
    "legacy": lambda path, both: lookalike.save(lookalike.content(*both), path, zipped=False),
    "zip, fine-tuned": lambda path, both: lookalike.save(lookalike.content(*both, fine_tuned=True), path, zipped=True),
    "legacy, fine-tuned": lambda path, both: lookalike.save(lookalike.content(*both, fine_tuned=True), path, zipped=False),
    "state dicts": lambda path, both: lookalike.save(states(*both), path, zipped=True),
    "state dicts, legacy": lambda path, both: lookalike.save(states(*both), path, zipped=False),
    "one state dict": lambda path, both: lookalike.save(flat(states(*both)), path, zipped=True),
    "of several GPUs": lambda path, both: lookalike.save(flat(states(*both), "module."), path, zipped=True),
    "safetensors": save_safetensors,
}


@pytest.mark.parametrize("save", SAVED.values(), ids=SAVED)
def test_every_way_of_saving_is_read(tmp_path: Path, networks: Networks, save: Callable[[Path, Networks], object]) -> None:
    """Whatever the file's form, every weight comes back bit for bit, and nothing of the tutorial's code is imported."""
    save(tmp_path / "checkpoint", networks)
    read = sgrvinod.read(tmp_path / "checkpoint", lookalike.save_word_map(tmp_path / "words.json"), name="x")

    expected = {name: tensor for name, tensor in flat(states(*networks)).items() if not name.endswith("num_batches_tracked")}
    assert read.weights.keys() == expected.keys()
    assert all(torch.equal(read.weights[name], tensor) for name, tensor in expected.items())
    assert read.config.encoder == "resnet14"
    assert read.config.grid == 14
    assert read.config.decoder == DecoderConfig(WORDS, 2048, attention_dim=24, embed_dim=20, decoder_dim=32)
    assert "models" not in sys.modules


@pytest.mark.parametrize("beam_size", [1, 3, 5])
def test_the_words_are_the_tutorials(cache: Path, networks: Networks, sample_photos: Path, beam_size: int) -> None:
    """Photos described in one batch get, word for word, what caption.py says of each alone."""
    captioner = Captioner(cache / "models" / "look", device="cpu", beam_size=beam_size)
    photos = [sample_photos / name for name in PHOTOS]
    described = captioner.describe([captioner.prepare(images.decode(photo.read_bytes())) for photo in photos])
    expected = [lookalike.caption(*networks, photo, beam_size=beam_size) for photo in photos]

    assert [one.caption for one in described] == [captioner.vocabulary.sentence(ids) for ids, _ in expected]
    assert [one.logprob for one in described] == pytest.approx([score for _, score in expected], abs=TOLERANCE)
    assert len({one.caption for one in described}) > 1, "the photos are all the same to these weights: nothing was tested"
    assert all(one.labels == () for one in described)


def test_a_large_jpeg_is_seen_as_the_tutorial_sees_it(cache: Path, networks: Networks, sample_photos: Path, tmp_path: Path) -> None:
    """Indexing hands the network every pixel, and not what a JPEG quickly read at a half or a quarter of its size would come to."""
    photos = [tmp_path / name for name in PHOTOS]
    for photo in photos:
        with Image.open(sample_photos / photo.name) as small:
            small.resize((2 * 1400, 2 * 1100), Image.Resampling.BICUBIC).save(photo, quality=92)
    captioner = Captioner(cache / "models" / "look", device="cpu", beam_size=3)
    with Fetcher() as fetcher:
        load = loader(fetcher.fetch, captioner)
        loaded: list[Any] = [load(Photo(photo.name, path=photo)).pixels for photo in photos]
    described = captioner.describe(loaded)

    for pixels, photo in zip(loaded, photos, strict=True):
        with Image.open(photo) as large:
            assert np.array_equal(pixels, np.asarray(large.resize((256, 256), Image.Resampling.BILINEAR)))
    words = captioner.vocabulary.sentence
    assert [one.caption for one in described] == [words(lookalike.caption(*networks, photo, beam_size=3)[0]) for photo in photos]


def test_where_no_sentence_ends_the_best_unfinished_one_is_told(tmp_path: Path, sample_photos: Path) -> None:
    """Fifty-one words, as many as the tutorial tries before it fails."""
    encoder, decoder = lookalike.networks(3)
    decoder.fc.bias.data[WORDS - 1] = -1000.0
    saved = lookalike.save({"encoder": encoder, "decoder": decoder}, tmp_path / "checkpoint", zipped=False)
    folder = convert(saved, lookalike.save_word_map(tmp_path / "words"), name="endless", cache_dir=tmp_path)
    captioner = Captioner(folder, device="cpu", beam_size=3)
    (described,) = captioner.describe([captioner.prepare(images.decode((sample_photos / "cat.jpg").read_bytes()))])
    ids, score = lookalike.caption(encoder, decoder, sample_photos / "cat.jpg", beam_size=3)

    assert len(ids) == 51
    assert described.caption == captioner.vocabulary.sentence(ids)
    assert described.logprob == pytest.approx(score, abs=TOLERANCE)


def test_a_converted_captioner_looks_like_any_other(cache: Path) -> None:
    """Its folder is a checkpoint with right sums, in float32; the numbers the tutorial's file has of itself are kept."""
    folder = cache / "models" / "look"
    loaded = checkpoint.load(folder)
    origin = json.loads((folder / catalogue.ORIGIN).read_text())

    assert {tensor.dtype for tensor in loaded.weights.values()} == {torch.float32}
    assert (origin["epoch"], list(origin["val"].values()), origin["licence"]) == (12, [0.2325], None)
    assert [one.name for one in (cache / "models").iterdir()] == ["look"]


def test_half_is_half_as_large(cache: Path, files: Path) -> None:
    """With --half the weights' file has two bytes a weight, and may be computed in as many."""
    folder = convert(files / "checkpoint.pth.tar", files / "WORDMAP.json", name="half", half=True, cache_dir=cache.parent / "other")
    whole = (cache / "models" / "look" / checkpoint.WEIGHTS).stat().st_size

    assert (folder / checkpoint.WEIGHTS).stat().st_size == pytest.approx(whole / 2, rel=0.01)
    assert checkpoint.load(folder).is_half


def test_the_published_checkpoint_would_fit() -> None:
    """A ResNet-101 without its head and a decoder for 9490 words have the parameters that the tutorial's have."""
    with torch.device("meta"):
        encoder, decoder = ResNetEncoder("resnet101"), AttentionDecoder(DecoderConfig(9490, 2048))
        theirs = lookalike.Encoder((3, 4, 23, 3)).state_dict()

    assert sum(one.numel() for one in encoder.parameters()) == 42_500_160
    assert sum(one.numel() for one in decoder.parameters()) == 20_483_859
    assert {name: one.shape for name, one in encoder.state_dict().items()} == {name: one.shape for name, one in theirs.items()}


class Bomb:
    """Pickled, a request to call something."""

    def __init__(self, *asked: Any) -> None:  # noqa: ANN401 - whatever a reduction can hold
        self.asked = asked

    def __reduce__(self) -> tuple[Any, ...]:
        """What is to be called, and with what."""
        return self.asked


TOUCH = "__import__('pathlib').Path('ran').touch()"

PROGRAMS = {
    "REDUCE": pickle.dumps({"encoder": Bomb(exec, (TOUCH,))}, 2),
    "REDUCE, protocol 5": pickle.dumps({"encoder": Bomb(os.system, ("touch ran",))}, 5),
    "GLOBAL": b"\x80\x02}(X\x07\x00\x00\x00encodercmodels\nran_when_imported\nu.",
    "INST": b"\x80\x02(S'touch ran'\nios\nsystem\n.",
    "OBJ": b"\x80\x02(cos\nsystem\nX\x09\x00\x00\x00touch rano.",
    "NEWOBJ_EX": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85}\x92.",
    "STACK_GLOBAL of an attribute": b"\x80\x04\x8c\x08builtins\x8c\x0dexec.__call__\x93\x8c" + bytes([len(TOUCH)]) + TOUCH.encode() + b"\x85R.",
    "BUILD on a class": b"\x80\x02cbuiltins\nexec\n}X\x08\x00\x00\x00__call__cos\nsystem\nsb.",
    "BUILD with __setstate__": b"\x80\x02cmodels\nEncoder\n)\x81}X\x0c\x00\x00\x00__setstate__cos\nsystem\nsb(X\x09\x00\x00\x00touch ranlb.",
    "persistent id": b"\x80\x02X\x09\x00\x00\x00touch ranQ.",
    "persistent id with a call": b"\x80\x02(X\x07\x00\x00\x00storagecos\nsystem\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ.",
    "extension": b"\x80\x02\x82\x01.",
    "tuples 1,000,000 deep as a key": b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x00s.",
    "lists 100,000 deep": b"\x80\x02}X\x07\x00\x00\x00encoder" + b"]" * 100_000 + b"a" * 99_999 + b"s.",
    "modules 30,000 deep": b"\x80\x02}X\x07\x00\x00\x00encoder"
    + b"cm\nE\n)\x81}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x00a" * 30_000
    + b"N"
    + b"ssb" * 30_000
    + b"s.",
    "a memo of 64 GB": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a string of 16 EB": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    "a frame of 16 EB": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7fN.",
    "no end": b"\x80\x02}",
    "not a dict": pickle.dumps(["encoder", "decoder"], 2),
    "nothing": b"",
}


def legacy(path: Path, program: bytes) -> Path:
    """A file in the old format whose object is `program`."""
    path.write_bytes(LEGACY_HEAD + program + pickle.dumps([], 2))
    return path


def zipped(path: Path, program: bytes, **members: bytes) -> Path:
    """A file in the zip format whose object is `program`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for name, data in members.items():
            archive.writestr(f"archive/data/{name}", data)
    return path


@pytest.mark.parametrize("write", [legacy, zipped], ids=["legacy", "zip"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_hostile_pickle_runs_nothing(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch, program: bytes, write: Callable[[Path, bytes], Path]
) -> None:
    """It is refused in one line that names the file; no marker file appears, no memory is taken, and no trace of a captioner is left."""
    monkeypatch.chdir(tmp_path)
    hostile = write(tmp_path / "hostile.pth.tar", program)
    with pytest.raises(CheckpointError, match="hostile") as refused:
        convert(hostile, files / "WORDMAP.json", name="x", cache_dir=tmp_path / "cache")

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "cache").exists()


def test_the_bombs_are_live(tmp_path: Path) -> None:
    """What the test above proves: Python's own unpickler does run them."""
    run = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    live = []
    for name in ("REDUCE", "REDUCE, protocol 5", "INST", "OBJ", "STACK_GLOBAL of an attribute"):
        subprocess.run([sys.executable, "-c", run], input=PROGRAMS[name], cwd=tmp_path, check=False)
        live.append((tmp_path / "ran").exists())
        (tmp_path / "ran").unlink(missing_ok=True)

    assert live == [True] * 5


def test_a_checkpoint_with_a_bomb_beside_good_weights_is_harmless(tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not weights is not looked at: the file converts, and the bomb never goes off."""
    monkeypatch.chdir(tmp_path)
    saved = lookalike.save(lookalike.content(*networks) | {"decoder_optimizer": Bomb(exec, (TOUCH,))}, tmp_path / "c", zipped=False)
    read = sgrvinod.read(saved, lookalike.save_word_map(tmp_path / "w"), name="x")

    assert read.weights["decoder.fc.weight"].shape == (WORDS, 32)
    assert not (tmp_path / "ran").exists()


REBUILD = torch._utils._rebuild_tensor_v2  # noqa: SLF001 - the name that torch writes for a tensor


class Writer(pickle.Pickler):
    """Writes the text `here` as a storage of `n` numbers."""

    n = 0

    def persistent_id(self, obj: object) -> object:
        """Torch's mark."""
        return ("storage", torch.FloatStorage, "0", "cpu", self.n) if obj == "here" else None


def tensor_program(n: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> bytes:
    """A pickle of one tensor in a storage of which it says that it holds `n` numbers."""
    out = io.BytesIO()
    writer = Writer(out, 2)
    writer.n = n
    writer.dump({"a": Bomb(REBUILD, ("here", offset, shape, stride, False, {}))})
    return out.getvalue()


def with_numbers(path: Path, program: bytes, n: int, *, zip_format: bool) -> Path:
    """A file with `program` and the numbers 1, 2, 3, 4 in storage 0, of which the old format says once more that there are `n`."""
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    if zip_format:
        return zipped(path, program, **{"0": numbers})
    path.write_bytes(LEGACY_HEAD + program + pickle.dumps(["0"], 2) + struct.pack("<q", n) + numbers)
    return path


@pytest.mark.parametrize("zip_format", [False, True], ids=["legacy", "zip"])
def test_a_tensor_is_what_its_strides_say(tmp_path: Path, zip_format: bool) -> None:
    """Two by two, its columns stored first, from the first number on; and a part of the storage, from the second."""
    for shape, stride, offset, expected in [((2, 2), (1, 2), 0, [[1, 3], [2, 4]]), ((2,), (2,), 1, [2, 4])]:
        file = torchfile.read(with_numbers(tmp_path / "file", tensor_program(4, shape, stride, offset), 4, zip_format=zip_format))
        assert file.tensor(torchfile.named_tensors(file.root)["a"]).tolist() == expected


@pytest.mark.parametrize(
    ("n", "shape", "stride", "offset"),
    [
        (10**10, (10**5, 10**5), (10**5, 1), 0),
        (4, (10**7,), (0,), 0),
        (4, (5,), (1,), 0),
        (4, (4,), (1,), 1),
        (4, (2, 2), (2, -1), 1),
        (4, (0,), (1,), 0),
        (8, (8,), (1,), 0),
        (2**62, (2**62,), (1,), 0),
    ],
    ids=["40 GB", "one number often", "too short", "offset", "backwards", "empty", "storage too short", "16 EB"],
)
@pytest.mark.parametrize("zip_format", [False, True], ids=["legacy", "zip"])
def test_a_tensor_that_claims_what_is_not_there_is_refused(
    tmp_path: Path, zip_format: bool, n: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    """Sixteen bytes are there, whatever the file says: it is no tensor, or an error that names the file, and takes no memory."""
    path = with_numbers(tmp_path / "claims", tensor_program(n, shape, stride, offset), n, zip_format=zip_format)
    with at_most(100 * 2**20):
        file = torchfile.read(path)
        for note in torchfile.named_tensors(file.root).values():
            with pytest.raises(CheckpointError, match="claims"):
                file.tensor(note)


@contextmanager
def at_most(n_bytes: int) -> Iterator[None]:
    """What Python allocates in the block is never more than this at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


def convert_fails(tmp_path: Path, saved: Path, words: Path, error: type[IgsearchError] = CheckpointError) -> str:
    """Converting is refused with `error`; its one line comes back, and nothing was left in the cache."""
    with pytest.raises(error) as refused:
        convert(saved, words, name="x", cache_dir=tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "cache" / "models").exists() or not list((tmp_path / "cache" / "models").iterdir())
    return str(refused.value)


FOREIGN = {
    "a web page": (b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title>", "a web page"),
    "a picture": (b"\xff\xd8\xff\xe0" + bytes(100), "not a file that torch.save wrote"),
    "empty": (b"", "not a file that torch.save wrote"),
    "a pickle of something": (pickle.dumps([1, 2], 2), "not a checkpoint that igsearch can read"),
    "another protocol": (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(7, 2) + pickle.dumps({"little_endian": True}, 2), "cannot|not a checkpoint"),
    "a big-endian machine's": (LEGACY_HEAD.replace(b"\x88", b"\x89") + pickle.dumps({}, 2) + pickle.dumps([], 2), "not a checkpoint"),
    "safetensors cut": (b"\x10\x00\x00\x00\x00\x00\x00\x00{", "not a safetensors file"),
    "safetensors deep": (struct.pack("<Q", 200_000) + b'{"a":' + b"[" * 199_995, "not a safetensors file"),
}


@pytest.mark.parametrize(("data", "says"), FOREIGN.values(), ids=FOREIGN)
def test_foreign_files_are_refused(tmp_path: Path, files: Path, data: bytes, says: str) -> None:
    """Whatever else it is, one line says which file is not a checkpoint."""
    (tmp_path / "foreign").write_bytes(data)
    message = convert_fails(tmp_path, tmp_path / "foreign", files / "WORDMAP.json")
    assert re.search(says, message)
    assert "foreign" in message


@pytest.mark.parametrize("zip_format", [False, True], ids=["legacy", "zip"])
@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.99999])
def test_a_checkpoint_that_was_cut_is_refused(tmp_path: Path, networks: Networks, files: Path, zip_format: bool, share: float) -> None:
    """A download that broke off is found out, early or late."""
    whole = lookalike.save(states(*networks), tmp_path / "whole", zipped=zip_format).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
    assert "cut" in convert_fails(tmp_path, tmp_path / "cut", files / "WORDMAP.json")


def test_one_changed_byte_in_a_zip_is_found(tmp_path: Path, files: Path) -> None:
    """The zip format has checksums, and they are looked at."""
    data = bytearray((files / "checkpoint.pth.tar").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped").write_bytes(data)
    assert "damaged" in convert_fails(tmp_path, tmp_path / "flipped", files / "WORDMAP.json")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("decoder.fc.bias", math.nan, "decoder.fc.bias has values that are not numbers"),
        ("encoder.resnet.0.weight", math.inf, "encoder.resnet.0.weight has values that are not numbers"),
        ("encoder.resnet.1.running_var", -1.0, "describes nothing"),
        ("decoder.fc.bias", None, "it has no decoder.fc.bias"),
        ("decoder.attention.encoder_att.weight", None, "lacks decoder.attention.encoder_att.weight"),
        ("encoder.resnet.7.0.conv3.weight", None, "it has no encoder.resnet.7.0.conv3.weight"),
        ("encoder.resnet.7.1.conv3.weight", 0.0, "stages of (1, 1, 1, 2) blocks"),
        ("decoder.extra\x1b[2J", 0.0, r"'decoder.extra\x1b[2J' of shape (1,)"),
    ],
    ids=["NaN", "infinite", "negative variance", "missing", "missing size", "missing layer", "other blocks", "one too many"],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, networks: Networks, files: Path, name: str, value: float | None, says: str) -> None:
    """The message says which tensor is wrong, and how."""
    weights = {key: tensor.clone() for key, tensor in flat(states(*networks)).items()}
    if value is None:
        del weights[name]
    elif name in weights:
        weights[name].view(-1)[0] = value
    else:
        weights[name] = torch.full((1,), value)
    assert says in convert_fails(tmp_path, lookalike.save(weights, tmp_path / "odd", zipped=True), files / "WORDMAP.json")


def test_parts_of_other_shapes_are_refused(tmp_path: Path, networks: Networks, files: Path) -> None:
    """A decoder whose parts do not fit each other is refused by the first that does not."""
    weights = flat(states(*networks)) | {"decoder.init_h.weight": torch.zeros(31, 2048)}
    save_file(weights, tmp_path / "odd")
    assert "'decoder.init_h.weight' of shape (31, 2048), not (32, 2048)" in convert_fails(tmp_path, tmp_path / "odd", files / "WORDMAP.json")


WORD_MAPS = {
    "another checkpoint's": (json.dumps(lookalike.word_map(WORDS + 1)), "41 words, the decoder in"),
    "a gap": (json.dumps(lookalike.word_map() | {"<end>": 99}), "not 0 to 39, each once"),
    "an id twice": (json.dumps(lookalike.word_map() | {"<end>": 1}), "not 0 to 39, each once"),
    "no <start>": (
        json.dumps({word.replace("<start>", "start"): n for word, n in lookalike.word_map().items()}),
        "/WORDMAP' is not a word map: it lacks <start>",
    ),
    "ids as text": (json.dumps({word: str(n) for word, n in lookalike.word_map().items()}), "one JSON object"),
    "ids as fractions": (json.dumps({word: float(n) for word, n in lookalike.word_map().items()}), "one JSON object"),
    "ids true and false": ('{"a": true, "b": false}', "one JSON object"),
    "a list": (json.dumps(list(lookalike.word_map())), "one JSON object"),
    "a number": ("9490", "one JSON object"),
    "empty": ("", "not JSON"),
    "cut": (json.dumps(lookalike.word_map())[:-20], "not JSON"),
    "100,000 deep": ('{"a":' * 100_000, "not JSON"),
    "a huge number": ('{"a": ' + "9" * 10_000 + "}", "not JSON"),
    "a number of the screen": (json.dumps({"\x1b[2J": 0}), r"'\x1b[2J' cannot be printed"),
    "half a character": ('{"\\ud800": 0}', r"'\ud800' cannot be printed"),
    "not text": ("\x80\x81", "not JSON"),
    "the caption file": (json.dumps([[1, 2], [3, 4]]), "one JSON object"),
}


@pytest.mark.parametrize(("text", "says"), WORD_MAPS.values(), ids=WORD_MAPS)
def test_word_maps_that_do_not_fit_are_refused(tmp_path: Path, files: Path, text: str, says: str) -> None:
    """A word map of another checkpoint, the user's most frequent mistake, and everything that is none."""
    (tmp_path / "WORDMAP").write_text(text, encoding="latin-1")
    message = convert_fails(tmp_path, files / "checkpoint.pth.tar", tmp_path / "WORDMAP")
    assert says in message
    assert message.isprintable()


def test_what_is_no_file_is_a_usage_error(tmp_path: Path, files: Path) -> None:
    """A folder, a file that is not there, a device that never ends."""
    for odd in (tmp_path, tmp_path / "missing", Path(os.devnull), Path("a\0b")):
        assert convert_fails(tmp_path, odd, files / "WORDMAP.json", UsageError)
        assert convert_fails(tmp_path, files / "checkpoint.pth.tar", odd, UsageError)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among Windows' files")
def test_a_pipe_is_not_waited_for(tmp_path: Path, files: Path) -> None:
    """A named pipe that nobody writes to is refused at once."""
    os.mkfifo(tmp_path / "pipe")
    assert "regular file" in convert_fails(tmp_path, tmp_path / "pipe", files / "WORDMAP.json", UsageError)


def claim_4_gb(archive: bytes, member: bytes) -> bytes:
    """The archive with a central directory that gives `member` 4 GB less 16 bytes."""
    data = bytearray(archive)
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(member))
    data[entry + 20 : entry + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    return bytes(data)


@pytest.mark.parametrize("member", ["archive/data.pkl", "archive/data/0"])
@pytest.mark.parametrize("compressed", [False, True], ids=["claimed", "compressed"])
def test_a_member_of_a_zip_that_is_too_large_is_not_read(tmp_path: Path, files: Path, member: str, compressed: bool) -> None:
    """Neither one that claims to be larger than the file, nor one that is small only because it is compressed, takes memory."""
    data = {"archive/data.pkl": tensor_program(4, (4,), (1,), 0), "archive/data/0": struct.pack("<4f", 1, 2, 3, 4)}
    with zipfile.ZipFile(tmp_path / "bomb", "w") as archive:
        for name, content in data.items():
            if compressed and name == member:
                archive.writestr(name, bytes(300 * 2**20), zipfile.ZIP_DEFLATED, 1)
            else:
                archive.writestr(name, content)
    if not compressed:
        (tmp_path / "bomb").write_bytes(claim_4_gb((tmp_path / "bomb").read_bytes(), member.encode()))
    with at_most(100 * 2**20):
        assert "damaged" in convert_fails(tmp_path, tmp_path / "bomb", files / "WORDMAP.json")
