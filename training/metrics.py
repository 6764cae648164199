"""The COCO caption metrics, from `pycocoevalcap`, on captions already split into words.

BLEU (Papineni et al. 2002, corpus level, closest reference length), ROUGE-L (Lin 2004) and CIDEr-D (Vedantam et al. 2015), times 100 as papers print them. The
references of Karpathy's splits are tokenised, so COCO's Java tokeniser is not needed. METEOR needs Java and is asked for separately.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge


def caption_scores(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> dict[str, float]:
    """BLEU-1 to 4, ROUGE-L and CIDEr of one caption per photo against that photo's references.

    Raises ValueError if the two differ in length or are empty.
    """
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(f"{len(hypotheses)} captions for {len(references)} photos")
    said = {photo: [" ".join(words)] for photo, words in enumerate(hypotheses)}
    truth = {photo: [" ".join(words) for words in group] for photo, group in enumerate(references)}
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, _ = Bleu(4).compute_score(truth, said)
        rouge, _ = Rouge().compute_score(truth, said)
        cider, _ = Cider().compute_score(truth, said)
    scores = {f"BLEU-{n}": 100 * float(value) for n, value in enumerate(bleu, start=1)}
    return scores | {"ROUGE-L": 100 * float(rouge), "CIDEr": 100 * float(cider)}


def meteor_score(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """METEOR 1.5 (Denkowski & Lavie 2014), times 100. Needs a Java runtime."""
    from pycocoevalcap.meteor.meteor import Meteor

    said = {photo: [" ".join(words)] for photo, words in enumerate(hypotheses)}
    truth = {photo: [" ".join(words) for words in group] for photo, group in enumerate(references)}
    score, _ = Meteor().compute_score(truth, said)
    return 100 * float(score)
