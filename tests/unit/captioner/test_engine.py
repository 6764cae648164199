"""Which engine runs a captioner, and that torch is asked for only where it has something to say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from igsearch.captioner import catalogue, engine
from igsearch.captioner.captioner import Captioner, evenly
from igsearch.captioner.engine import choose_engine
from igsearch.errors import DeviceError, UsageError
from tests.unit.captioner.test_checkpoint import tiny_config


@pytest.mark.parametrize(
    ("asked", "device", "driver", "chosen"),
    [
        ("auto", "auto", False, "onnx"),
        ("auto", "auto", True, "torch"),
        ("auto", "cpu", True, "onnx"),
        ("auto", "cuda", False, "torch"),
        ("auto", "mps", False, "torch"),
        ("torch", "auto", False, "torch"),
        ("torch", "cpu", False, "torch"),
        ("onnx", "auto", True, "onnx"),
        ("onnx", "cpu", False, "onnx"),
    ],
)
def test_a_cpu_is_for_onnx_and_all_else_for_torch(monkeypatch: pytest.MonkeyPatch, asked: str, device: str, *, driver: bool, chosen: str) -> None:
    """Unless another one is asked for; `auto` looks for a processor that torch can use, `cpu` does not."""
    monkeypatch.setattr(engine, "accelerator_is_there", lambda: driver)
    assert choose_engine(asked, tiny_config(), device) == chosen


def test_other_captioners_are_for_torch() -> None:
    """One with another encoder, or with a grid of its own, as those that were converted have."""
    for config in (tiny_config(encoder="resnet50"), replace(tiny_config(), grid=14)):
        assert choose_engine("auto", config, "cpu") == "torch"
        with pytest.raises(UsageError, match="packaged one's kind"):
            choose_engine("onnx", config, "cpu")
    with pytest.raises(UsageError, match=r"--engine onnx .*'hf:a/b'"):
        catalogue.open_captioner("hf:a/b", engine="onnx")


@pytest.mark.parametrize(
    ("asked", "device", "says"), [("onnx", "cuda", "CPU"), ("onnx", "mps", "CPU"), ("tensorflow", "auto", "auto, torch, onnx"), ("", "cpu", "auto")]
)
def test_an_engine_that_does_not_suit_is_a_line(asked: str, device: str, says: str) -> None:
    """It is known before a network is loaded."""
    with pytest.raises(UsageError, match=says):
        Captioner(device=device, engine=asked)


@pytest.mark.parametrize(("chosen", "precision"), [("onnx", "bfloat16"), ("onnx", "float64"), ("torch", "int8"), ("torch", "")])
def test_an_engine_computes_in_what_it_can(chosen: str, precision: str) -> None:
    """Anything else is a line that says in what it does."""
    with pytest.raises(UsageError, match="float32"):
        _ = Captioner(device="cpu", engine=chosen, precision=precision).engine


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_there_is_known_at_once(device: str) -> None:
    """Not only when the first picture comes."""
    if device == "cuda" and engine.has_cuda_driver():
        pytest.skip("there is a CUDA driver here")
    with pytest.raises(DeviceError, match=device):
        Captioner(device=device)


def test_a_driver_is_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one torch is not asked; with one it is, and says that there is nothing behind it."""
    monkeypatch.setattr(engine, "CUDA_DRIVERS", ("libnothing.so.1", "nothing.dll"))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert not engine.has_cuda_driver()
    assert not engine.accelerator_is_there()


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("n_groups", [1, 2, 3, 8])
def test_groups_are_even_and_in_order(n: int, n_groups: int) -> None:
    """Nothing is lost, no group is empty, and none is larger than another by more than one."""
    groups = evenly(list(range(n)), n_groups)  # type: ignore[arg-type]  # any sequence will do
    sizes = [len(group) for group in groups]
    assert [one for group in groups for one in group] == list(range(n))
    assert len(groups) == min(n, n_groups)
    assert max(sizes) - min(sizes) <= 1 <= min(sizes)


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    """A captioner that never sees a picture never has a network; its name is known all the same."""
    captioner = Captioner(device="cpu")
    assert captioner.name.startswith(captioner.config.name)
    assert captioner.describe([]) == []
    assert captioner._loaded is None  # noqa: SLF001 - that is the point
    del tmp_path
