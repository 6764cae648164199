"""The encoder's shapes and padding, against plain references."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from igsearch.captioner.efficientnet import VARIANTS, scaled_channels
from igsearch.captioner.encoder import EfficientNetLite, SameConv2d


@pytest.mark.parametrize(("variant", "n_parameters"), [("efficientnet_lite0", 4_652_008), ("efficientnet_lite2", 6_092_072)], ids=str)
def test_parameter_counts_are_those_of_the_release(variant: str, n_parameters: int) -> None:
    """Parameters equal the published network's, less the two per channel that folding the normalisation saves."""
    network = EfficientNetLite(variant)
    n_channels = sum(module.out_channels for module in network.modules() if isinstance(module, SameConv2d))
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters - n_channels


def test_the_grid_has_one_cell_for_every_32_pixels() -> None:
    """260 pixels give 9 cells a side, never negative, and 1000 logits."""
    network = EfficientNetLite("efficientnet_lite2").eval()
    with torch.inference_mode():
        grid = network(torch.randn(2, 3, 260, 260))
        assert grid.shape == (2, 1280, 9, 9)
        assert float(grid.min()) >= 0
        assert network.classify(grid).shape == (2, 1000)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows(side: int, kernel: int, stride: int) -> None:
    """The output has ceil(side / stride) cells and equals a convolution of the picture padded by hand, the odd pixel at the far end."""
    conv = SameConv2d(2, 3, kernel, stride=stride)
    x = torch.randn(1, 2, side, side)
    n_out = -(-side // stride)
    total = max((n_out - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    expected = F.conv2d(F.pad(x, (before, after, before, after)), conv.weight, conv.bias, stride)
    assert conv(x).shape[-2:] == (n_out, n_out)
    assert torch.allclose(conv(x), expected, atol=1e-6)


@pytest.mark.parametrize(("channels", "width", "expected"), [(16, 1.0, 16), (16, 1.1, 16), (24, 1.1, 24), (40, 1.1, 48), (112, 1.1, 120), (320, 1.1, 352)])
def test_channels_are_rounded_to_multiples_of_eight(channels: int, width: float, expected: int) -> None:
    """The published widths of Lite2."""
    assert scaled_channels(channels, width) == expected


def test_lite2_is_wider_and_deeper_than_lite0() -> None:
    """Scaling multiplies blocks, except in the first and last stage."""
    depths = {name: [len(stage) for stage in EfficientNetLite(name).stages] for name in VARIANTS}  # type: ignore[arg-type]  # each is an nn.Sequential
    assert depths["efficientnet_lite0"] == [1, 2, 2, 3, 3, 4, 1]
    assert depths["efficientnet_lite2"] == [1, 3, 3, 4, 4, 5, 1]
