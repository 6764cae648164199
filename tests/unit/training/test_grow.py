"""A checkpoint that learns new words keeps the ones it knows."""

from __future__ import annotations

import torch

from igsearch.captioner import checkpoint
from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import AttentionDecoder
from training.grow import grown


def test_known_words_keep_their_rows_and_new_ones_begin_near_rare_ones() -> None:
    """Every known word says and is read as before; new words of captions and labels, and a start token for each style, have found a place."""
    loaded = checkpoint.load(checkpoint.packaged())
    captions = [("a", "zyzzyva", "sits")] * 5 + [("a", "hapax")]
    saved = grown(loaded, captions, ["joshua quokka"], min_count=5)
    known, words = list(loaded.vocabulary.words), saved["words"]
    assert words[0] == "<pad>"
    assert set(words) - set(known) >= {"zyzzyva", "quokka"}
    assert "hapax" not in words
    assert len(set(words)) == len(words) == saved["config"]["vocabulary_size"]
    for name in ("embedding.weight", "fc.weight", "fc.bias"):
        old, new = loaded.weights[f"decoder.{name}"].float(), saved["decoder"][name]
        rows = torch.tensor([words.index(word) for word in known])
        assert torch.equal(new[rows], old)
        assert torch.equal(new[words.index("<start:coco>")], old[known.index("<start:coco>" if "<start:coco>" in known else "<start>")])
        assert bool((new[words.index("zyzzyva")] - old[known.index("the")]).abs().sum() > 0)
    AttentionDecoder(DecoderConfig(**saved["config"])).load_state_dict(saved["decoder"])
