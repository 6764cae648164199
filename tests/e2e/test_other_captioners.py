"""The command with captioners of Hugging Face, detectors and classifiers of torchvision's, and the figure of attention."""

from __future__ import annotations

import json
import shutil
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests import tiny_huggingface, tiny_torchvision

if TYPE_CHECKING:
    from tests.conftest import Igsearch

needs_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: pip install 'igsearch[hf]'")


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A detector that sees dogs everywhere, as --detector takes it."""
    return f"{tiny_torchvision.DETECTOR}={tiny_torchvision.save_detector(tmp_path_factory.mktemp('weights') / 'dogs.pth', {tiny_torchvision.DOG: 4.0})}"


@needs_transformers
def test_a_model_of_hugging_face_captions_and_indexes(igsearch: Igsearch, sample_photos: Path) -> None:
    """`--captioner hf:FOLDER` describes files, indexes a profile under its own name, and knows what it has described."""
    tiny_huggingface.make("git", igsearch.cwd / "model")
    photos = igsearch.cwd / "photos"
    photos.mkdir()
    for name in ("cat.jpg", "boats.jpg"):
        shutil.copy(sample_photos / name, photos)
    done = igsearch("caption", photos / "cat.jpg", photos / "boats.jpg", "--captioner", "hf:./model", "--beam-size", "2", "--json")
    document = json.loads(done.stdout)
    assert (done.code, done.stderr) == (0, "")
    assert document["captioner"].startswith("hf:model-")
    assert all(set(one["caption"].split()) <= set(tiny_huggingface.WORDS) and one["logprob"] < 0 for one in document["results"])
    assert all(one["labels"] == [] and one["objects"] is None for one in document["results"])
    first, again = (json.loads(igsearch("index", "few", "--from", photos, "--captioner", "hf:./model", "--json", "-q").stdout) for _ in range(2))
    assert (first["photos"]["described"], again["photos"]["described"]) == (2, 0)


@needs_transformers
def test_without_a_connection_the_hub_is_one_line(igsearch: Igsearch, sample_photos: Path) -> None:
    """The proxy is dead."""
    done = igsearch("caption", sample_photos / "cat.jpg", "--captioner", "hf:somebody/something")
    assert (done.code, done.stdout) == (4, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hf:somebody/something" in done.stderr


class FakeHub(ThreadingHTTPServer):
    """A Hub on loopback with one public model, `tiny/git`, whose files lie in a folder, and one for which terms must be accepted, `tiny/gated`."""

    REVISION = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, folder: Path) -> None:
        """Serve the model in `folder`."""
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = {file.name: file.read_bytes() for file in folder.iterdir()}
        self.listed = {**self.files, "pytorch_model.bin": b"a pickle", "modeling.py": b"code", "onnx/model.safetensors": b"other weights"}
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body, in the Hub's own terms."""
        path = path.partition("?")[0]
        self.asked.append(path)
        if path == "/api/models/tiny/git/revision/main":
            return 200, {}, json.dumps({"id": "tiny/git", "sha": self.REVISION, "siblings": [{"rfilename": name} for name in self.listed]}).encode()
        if path == f"/api/models/tiny/git/tree/{self.REVISION}":
            tree = [{"type": "file", "path": name, "size": len(data), "oid": sha256(data).hexdigest()[:40]} for name, data in self.listed.items()]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        if path.startswith("/api/models/tiny/gated/"):
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        if path.startswith("/api/models/"):
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        data = self.listed[path.removeprefix(f"/tiny/git/resolve/{self.REVISION}/")]
        return 200, {"X-Repo-Commit": self.REVISION, "ETag": f'"{sha256(data).hexdigest()[:40]}"'}, data


class HubRequest(BaseHTTPRequestHandler):
    """One request to the `FakeHub`."""

    server: FakeHub

    def do_GET(self) -> None:
        """Answer, without the body if only the head is asked for."""
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@needs_transformers
def test_a_model_is_fetched_from_the_hub_once(igsearch: Igsearch, sample_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is needed of it arrives in the Hub's own cache and no more is asked for; later it does without a connection. What cannot be had is one line."""
    hub = FakeHub(tiny_huggingface.make("git", igsearch.cwd / "served"))
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
    monkeypatch.setenv("HF_HOME", str(igsearch.cwd / "hub"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    ask = ("caption", sample_photos / "cat.jpg", "--json", "--beam-size", "2", "--captioner")
    fetched = igsearch(*ask, "hf:tiny/git")
    asked = [path for path in hub.asked if not path.startswith("/api/models/")]
    gated, absent = igsearch(*ask, "hf:tiny/gated"), igsearch(*ask, "hf:tiny/absent")
    hub.shutdown()
    hub.server_close()
    assert fetched.code == 0, fetched.stderr
    assert json.loads(fetched.stdout)["captioner"] == "hf:tiny/git-01234567-beam2"
    assert {path.rpartition("/")[2] for path in asked} == set(hub.files)
    assert igsearch(*ask, "hf:tiny/git").stdout == fetched.stdout
    assert (gated.code, gated.stdout, len(gated.stderr.splitlines())) == (3, "", 1)
    assert "hf auth login" in gated.stderr
    assert (absent.code, absent.stdout, len(absent.stderr.splitlines())) == (2, "", 1)
    assert "'tiny/absent'" in absent.stderr


def test_without_transformers_the_line_says_how_to_get_it(igsearch: Igsearch, sample_photos: Path) -> None:
    """The extra is named."""
    (igsearch.cwd / "lacking" / "transformers").mkdir(parents=True)
    (igsearch.cwd / "lacking" / "transformers" / "__init__.py").write_text("raise ImportError('not here')")
    done = igsearch("caption", sample_photos / "cat.jpg", "--captioner", "hf:somebody/something", PYTHONPATH=str(igsearch.cwd / "lacking"))
    assert (done.code, done.stdout) == (2, "")
    assert "pip install 'igsearch[hf]'" in done.stderr


def test_objects_are_looked_for_on_request(igsearch: Igsearch, sample_photos: Path, detector: str) -> None:
    """--detector adds counted objects to what is printed; without it nobody looked, and the caption is the same."""
    cat = sample_photos / "cat.jpg"
    plain, looked = (json.loads(igsearch("caption", cat, "--json", *more).stdout)["results"][0] for more in ((), ("--objects", "--detector", detector)))
    assert plain["objects"] is None
    assert [(one["name"], one["count"] > 0, one["score"] > 0.9) for one in looked["objects"]] == [("dog", True, True)]
    assert looked["caption"] == plain["caption"]
    line = igsearch("caption", cat, "--detector", detector).stdout.rstrip("\n").split("\t")
    assert line == [plain["caption"], f"{looked['objects'][0]['count']} dog {looked['objects'][0]['score']:.0%}"]


def test_photos_indexed_without_objects_are_described_again_with_them(igsearch: Igsearch, sample_photos: Path, detector: str) -> None:
    """A profile gains objects by being indexed with a detector, once; they are in what a search answers, and can be searched for."""
    photos = igsearch.cwd / "photos"
    photos.mkdir()
    shutil.copy(sample_photos / "cat.jpg", photos)
    runs = [(), ("--detector", detector), ("--detector", detector)]
    counts = [json.loads(igsearch("index", "few", "--from", photos, "--json", "-q", *more).stdout)["photos"]["described"] for more in runs]
    assert counts == [1, 1, 0]
    found = json.loads(igsearch("search", "few", "dog", "--json").stdout)["results"]
    assert [one["name"] for one in found[0]["objects"]] == ["dog"]


def test_a_classifier_replaces_the_labels(igsearch: Igsearch, sample_photos: Path) -> None:
    """--labeller prints the classifier's labels, with weights of the user's own."""
    weights = tiny_torchvision.save_labeller(igsearch.cwd / "cars.pth", 817)
    done = igsearch("caption", sample_photos / "cat.jpg", "--labeller", f"{tiny_torchvision.LABELLER}={weights}")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.rstrip("\n").split("\t")[1] == "sports car 100%"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--objects"], 4, "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"),
        (["--labeller", "squeezenet1_1"], 6, "squeezenet1_1-b8a52dc0.pth is damaged"),
        (["--detector", "yolo"], 2, "ssdlite320_mobilenet_v3_large"),
        (["--attention", "out.jpg"], 2, ".png"),
        (["--attention", "nowhere/out.png"], 2, "nowhere/out.png"),
        (["second.jpg", "--attention", "out.png"], 2, "one picture at a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_had_is_one_line(igsearch: Igsearch, sample_photos: Path, arguments: list[str], code: int, says: str) -> None:
    """No weights and no connection, damaged weights, unknown names, figures that cannot be drawn: one line that names them, and nothing on stdout."""
    checkpoints = igsearch.cwd / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"half of it")
    done = igsearch("caption", sample_photos / "cat.jpg", *arguments, TORCH_HOME=str(igsearch.cwd / "torch"))
    assert (done.code, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr
    assert [file.name for file in checkpoints.iterdir()] == ["squeezenet1_1-b8a52dc0.pth"]
    assert not (igsearch.cwd / "out.png").exists()


def test_attention_is_drawn_beside_the_caption(igsearch: Igsearch, sample_photos: Path) -> None:
    """The caption is printed as without it, and the figure has a panel more than the caption has words."""
    done = igsearch("caption", sample_photos / "cat.jpg", "--attention", "looks.png")
    n_panels = len(done.stdout.split()) + 1
    assert (done.code, done.stderr) == (0, "")
    with Image.open(igsearch.cwd / "looks.png") as drawn:
        assert drawn.format == "PNG"
        rows = -(-n_panels // 5)
        assert drawn.width == 2 * 40 + -(-n_panels // rows) * (340 + 24) - 24


def test_attention_of_a_damaged_picture_is_that_pictures_error(igsearch: Igsearch) -> None:
    """The line is the same as without the figure, and names the picture."""
    (igsearch.cwd / "broken.jpg").write_text("no picture")
    done = igsearch("caption", "broken.jpg", "--attention", "looks.png", "--json")
    assert done.code == 1
    assert "not a picture" in json.loads(done.stdout)["results"][0]["error"]
    assert done.stderr.count("broken.jpg") == 1
    assert not (igsearch.cwd / "looks.png").exists()
