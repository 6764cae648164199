"""Teach a trained decoder to tell which set's style of caption suits a photo: a logistic regression on the mean annotation.

The beam then begins with each start token at the log-probability of its style, instead of letting the style win that happens to speak in likelier words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training.backbone import pretrained_lite2
from training.batches import START
from training.run import SavedRun
from training.sets import SETS, TRAIN

if TYPE_CHECKING:
    from training.batches import CachedSet

INVERSE_PENALTY = 0.01
"""Strong: the sets also differ in how their files were made, which a user's photos do not share."""

MOST_PHOTOS = 2000
"""Of a set; a linear map of this size needs no more."""


@torch.inference_mode()
def mean_annotations(saved: SavedRun, one: CachedSet) -> Tensor:
    """The mean annotation (N, A) of a set's photos, `MOST_PHOTOS` at most, in their unaltered view."""
    limit = min(MOST_PHOTOS, len(one))
    encoder = pretrained_lite2()
    encoder.load_state_dict(saved["encoder"])
    encoder.bfloat16().to(memory_format=torch.channels_last)
    decoder = AttentionDecoder(DecoderConfig(**saved["config"]))
    decoder.load_state_dict(saved["decoder"])
    decoder.eval().bfloat16()
    chunks = [range(first, min(first + 32, limit)) for first in range(0, limit, 32)]
    means = [decoder.annotate(encoder.upper(one.features(chunk))).values.float().mean(1) for chunk in chunks]
    return torch.cat(means)


def fit(means: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Weight (S, A) and bias (S,) of the linear map that tells S sets apart by their mean annotations, each (N, A); every set counts alike."""
    labels = np.repeat(np.arange(len(means)), [len(mean) for mean in means])
    fitted = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000).fit(torch.cat(means).numpy(), labels)
    weight, bias = (torch.from_numpy(array).float() for array in (fitted.coef_, fitted.intercept_))
    if len(means) == 2:  # one row of numbers tells two sets apart: it is the second one's, and the first one's are zeros
        return torch.cat([torch.zeros_like(weight), weight]), torch.cat([torch.zeros_like(bias), bias])
    return weight, bias


def with_styles(saved: SavedRun, sets: dict[str, CachedSet]) -> SavedRun:
    """A run whose decoder weighs styles, one for each start token and in their order, by the photos of the training sets."""
    groups = [[one for name, one in sets.items() if name in TRAIN and SETS[name].style == style] for style in START]
    weight, bias = fit([torch.cat([mean_annotations(saved, one) for one in group]) for group in groups])
    decoder = saved["decoder"] | {"style.weight": weight, "style.bias": bias}
    config = saved["config"] | {"n_styles": len(groups)}
    return SavedRun(words=saved["words"], config=config, decoder=decoder, encoder=saved["encoder"], heads=saved["heads"], row=saved["row"])
