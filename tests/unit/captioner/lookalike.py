"""A checkpoint like those of the sgrvinod tutorial: modules laid out and pickled as its models.py does, with random weights, and its search for one picture."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

WORDS = 40
LEGACY_HEAD = b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001, "type_sizes": {}}))
"""The first three pickles of a file in torch's old format; what was saved follows, and the keys of its storages."""


class Encoder(nn.Module):
    """A ResNet without its last two layers, pooled to 14 × 14 cells, channels last."""

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.enc_image_size = 14
        self.resnet = nn.Sequential(*list(ResNet(Bottleneck, blocks).children())[:-2])
        self.adaptive_pool = nn.AdaptiveAvgPool2d((14, 14))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 256, 256) to (N, 14, 14, 2048)."""
        pooled: Tensor = self.adaptive_pool(self.resnet(images))
        return pooled.permute(0, 2, 3, 1)


class Attention(nn.Module):
    """The tutorial's attention."""

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)
        self.relu = nn.ReLU()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, encoder_out: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(S, P, 2048) and (S, D) to the context (S, 2048) and the weights (S, P)."""
        energy = self.full_att(self.relu(self.encoder_att(encoder_out) + self.decoder_att(hidden).unsqueeze(1))).squeeze(2)
        alpha = self.softmax(energy)
        return (encoder_out * alpha.unsqueeze(2)).sum(dim=1), alpha


class DecoderWithAttention(nn.Module):
    """The tutorial's decoder, with the attributes that its pickles have."""

    def __init__(self, attention_dim: int, embed_dim: int, decoder_dim: int, vocab_size: int) -> None:
        super().__init__()
        self.encoder_dim, self.attention_dim, self.embed_dim, self.decoder_dim, self.vocab_size = 2048, attention_dim, embed_dim, decoder_dim, vocab_size
        self.attention = Attention(2048, decoder_dim, attention_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(p=0.5)
        self.decode_step = nn.LSTMCell(embed_dim + 2048, decoder_dim, bias=True)
        self.init_h = nn.Linear(2048, decoder_dim)
        self.init_c = nn.Linear(2048, decoder_dim)
        self.f_beta = nn.Linear(decoder_dim, 2048)
        self.sigmoid = nn.Sigmoid()
        self.fc = nn.Linear(decoder_dim, vocab_size)


for one in (Encoder, Attention, DecoderWithAttention):
    one.__module__ = "models"


@contextmanager
def module_called_models() -> Iterator[None]:
    """As in the tutorial's folder: the classes can be imported from `models`, and their source be read, which the old format keeps with them."""
    sys.modules["models"] = module = types.ModuleType("models")
    module.__file__ = __file__
    module.__dict__.update({one.__name__: one for one in (Encoder, Attention, DecoderWithAttention)})
    try:
        yield
    finally:
        del sys.modules["models"]


def word_map(n: int = WORDS) -> dict[str, int]:
    """Ids as the tutorial gives them: words from 1 on, then three special tokens, and padding, inserted last, is 0."""
    words = {f"word{position}": position for position in range(1, n - 3)}
    return words | {"<unk>": n - 3, "<start>": n - 2, "<end>": n - 1, "<pad>": 0}


def networks(seed: int, blocks: tuple[int, int, int, int] = (1, 1, 1, 1)) -> tuple[Encoder, DecoderWithAttention]:
    """A small pair with random weights and statistics, whose sentences differ from picture to picture."""
    torch.manual_seed(seed)
    encoder, decoder = Encoder(blocks), DecoderWithAttention(24, 20, 32, WORDS)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
    with torch.no_grad():
        decoder.fc.weight.mul_(6)
        decoder.embedding.weight.mul_(2)
        decoder.attention.full_att.weight.mul_(20)
    return encoder.eval(), decoder.eval()


def content(encoder: Encoder, decoder: DecoderWithAttention, *, fine_tuned: bool = False) -> dict[str, Any]:
    """What the tutorial's save_checkpoint hands to torch.save, after one step of each optimiser."""
    optimizers: list[torch.optim.Adam | None] = []
    for network in (encoder, decoder) if fine_tuned else (decoder,):
        optimizer = torch.optim.Adam(network.parameters(), lr=0.0)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad()
        optimizers.append(optimizer)
    return {
        "epoch": 12,
        "epochs_since_improvement": 3,
        "bleu-4": 0.2325,
        "encoder": encoder,
        "decoder": decoder,
        "encoder_optimizer": optimizers[0] if fine_tuned else None,
        "decoder_optimizer": optimizers[-1],
    }


def save(saved: object, path: Path, *, zipped: bool) -> Path:
    """Write `saved` as torch does, in its zip format or the one before."""
    with module_called_models():
        torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    return path


def save_word_map(path: Path, words: dict[str, int] | None = None) -> Path:
    """Write a WORDMAP file."""
    path.write_text(json.dumps(words or word_map()))
    return path


@torch.no_grad()
def caption(encoder: Encoder, decoder: DecoderWithAttention, file: Path, *, beam_size: int) -> tuple[list[int], float]:
    """caption.py's procedure for one picture file, with today's integer division, and the best unfinished sentence where none finishes.

    Ids after `<start>`, `<end>` included, and the sum of their log-probabilities.
    """
    end, start = WORDS - 1, WORDS - 2
    squashed = np.array(Image.open(file).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    scaled = torch.FloatTensor(squashed / 255.0)
    image = (scaled - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    k = beam_size
    encoder_out = encoder(image.unsqueeze(0)).view(1, -1, 2048).expand(k, -1, -1)
    previous, sequences, scores = torch.full((k, 1), start), torch.full((k, 1), start), torch.zeros(k, 1)
    complete: list[tuple[list[int], float]] = []
    h, c = decoder.init_h(encoder_out.mean(dim=1)), decoder.init_c(encoder_out.mean(dim=1))
    step = 1
    while True:
        embeddings = decoder.embedding(previous).squeeze(1)
        context, _ = decoder.attention(encoder_out, h)
        context = decoder.sigmoid(decoder.f_beta(h)) * context
        h, c = decoder.decode_step(torch.cat([embeddings, context], dim=1), (h, c))
        totals = scores.expand(-1, WORDS) + F.log_softmax(decoder.fc(h), dim=1)
        top_scores, top_words = totals[0].topk(k, 0) if step == 1 else totals.view(-1).topk(k, 0)
        parents, following = top_words // WORDS, top_words % WORDS
        sequences = torch.cat([sequences[parents], following.unsqueeze(1)], dim=1)
        going = [position for position, word in enumerate(following.tolist()) if word != end]
        complete += [(sequences[position].tolist(), float(top_scores[position])) for position in range(k) if position not in going]
        k = len(going)
        if k == 0 or step > 50:
            break
        sequences, h, c, encoder_out = sequences[going], h[parents[going]], c[parents[going]], encoder_out[parents[going]]
        scores, previous = top_scores[going].unsqueeze(1), following[going].unsqueeze(1)
        step += 1
    best, score = max(complete, key=lambda one: one[1]) if complete else (sequences[0].tolist(), float(top_scores[going][0]))
    return best[1:], score
