"""Weights for torchvision's networks as torchvision publishes them, random but for what they are rigged to say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torchvision import models

DETECTOR, LABELLER = "ssdlite320_mobilenet_v3_large", "squeezenet1_0"
DOG, PERSON = 18, 1
"""Positions among COCO's 91 kinds."""


@cache
def random_weights(name: str) -> dict[str, Tensor]:
    """A network's state dict, the same whenever it is made."""
    torch.manual_seed(0)
    weights: dict[str, Tensor] = models.get_model(name, weights=None, **({"weights_backbone": None} if name == DETECTOR else {})).state_dict()
    return weights


def save_detector(file: Path, kinds: dict[int, float]) -> Path:
    """A detector that sees these kinds (by position), each with this logit, in every box of its coarsest grid, and nothing anywhere else."""
    weights = {name: tensor.clone() for name, tensor in random_weights(DETECTOR).items()}
    heads = [name.removesuffix(".bias") for name in weights if re.search(r"classification_head\.module_list\.\d\.1\.bias", name)]
    for head in heads:
        weights[f"{head}.weight"].zero_()
        bias = weights[f"{head}.bias"].view(-1, 91)
        bias.fill_(-20.0)[:, 0] = 0.0
        if head == heads[-1]:
            for kind, logit in kinds.items():
                bias[:, kind] = logit
    for name, tensor in weights.items():
        if "regression_head" in name:
            tensor.zero_()
    torch.save(weights, file)
    return file


def save_labeller(file: Path, position: int) -> Path:
    """A classifier that is sure of the class at `position`, whatever it sees."""
    weights = {name: tensor.clone() for name, tensor in random_weights(LABELLER).items()}
    weights["classifier.1.weight"].zero_()
    weights["classifier.1.bias"].zero_()[position] = 20.0
    torch.save(weights, file)
    return file
