"""Beam search against two plain references: every sentence there is, and the tutorial's one-photo search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from igsearch.captioner.config import DecoderConfig
from igsearch.captioner.decoder import Annotations, AttentionDecoder
from igsearch.captioner.decoding import Sentence, beam_search, best_continuations
from igsearch.captioner.torch_engine import TorchSpeaker

START, END, V = 3, 4, 5


def small_decoder(seed: int, *, deep_output: bool = False, annotation_dim: int | None = None, sharpness: float = 6.0) -> AttentionDecoder:
    """A five-word decoder with random weights, sharp enough that sentences differ clearly in probability."""
    torch.manual_seed(seed)
    config = DecoderConfig(V, encoder_dim=6, attention_dim=5, embed_dim=7, decoder_dim=8, annotation_dim=annotation_dim, deep_output=deep_output)
    decoder = AttentionDecoder(config).eval().requires_grad_(False)
    decoder.fc.weight.mul_(sharpness)
    decoder.embedding.weight.mul_(2)
    return decoder


def photos(seed: int, n: int) -> Tensor:
    """Feature maps (n, 6, 2, 2)."""
    return torch.randn(n, 6, 2, 2, generator=torch.Generator().manual_seed(seed))


def word_logprobs(decoder: AttentionDecoder, annotations: Annotations, prefix: tuple[int, ...]) -> Tensor:
    """Log-probabilities (V,) of the word after START and `prefix`, computed from the beginning."""
    state = decoder.start(annotations, 1)
    for word in (START, *prefix):
        embedded = decoder.embed(torch.tensor([[word]]))
        step = decoder.step(embedded, state, annotations)
        state = step.state
    return torch.log_softmax(decoder.logits(embedded, state.hidden, step.context), dim=2)[0, 0]


def every_sentence(decoder: AttentionDecoder, annotations: Annotations, max_words: int) -> dict[tuple[int, ...], float]:
    """All sentences of at most `max_words` words that end, with their log-probabilities."""
    found = {}
    for length in range(max_words):
        for words in itertools.product([w for w in range(V) if w != END], repeat=length):
            sentence = (*words, END)
            found[sentence] = sum(float(word_logprobs(decoder, annotations, sentence[:t])[word]) for t, word in enumerate(sentence))
    return found


def tutorial_search(decoder: AttentionDecoder, annotations: Annotations, beam_size: int, max_steps: int) -> tuple[list[tuple[tuple[int, ...], float]], bool]:
    """The tutorial's procedure for one photo, written plainly: the finished sentences in the order found, or the best unfinished one and False."""
    k = beam_size
    beams: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[tuple[tuple[int, ...], float]] = []
    for _ in range(max_steps + 1):
        grown = [((*words, w), score + float(lp)) for words, score in beams for w, lp in enumerate(word_logprobs(decoder, annotations, words))]
        grown.sort(key=lambda one: -one[1])
        chosen = grown[:k]
        finished += [one for one in chosen if one[0][-1] == END]
        beams = [one for one in chosen if one[0][-1] != END]
        k = len(beams)
        if k == 0:
            break
    return (finished, True) if finished else (beams[:1], False)


def search(decoder: AttentionDecoder, maps: Tensor, *, banned: Sequence[int] = (), **options: object) -> list[list[Sentence]]:
    """`beam_search` from feature maps, in torch."""
    speaker = TorchSpeaker(decoder, decoder.annotate(maps), banned)
    return beam_search(speaker, **{"starts": [START], "end": END} | options)  # type: ignore[arg-type]  # options are those of beam_search


@pytest.mark.parametrize("deep_output", [False, True], ids=["tutorial", "deep output"])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_most_probable_sentence(seed: int, deep_output: bool) -> None:
    """With a beam as wide as the language, the winner is the most probable of all sentences."""
    decoder = small_decoder(seed, deep_output=deep_output, annotation_dim=4 if deep_output else None)
    maps = photos(seed, 1)
    best, logprob = max(every_sentence(decoder, decoder.annotate(maps), 4).items(), key=lambda item: item[1])
    found = search(decoder, maps, beam_size=V**4, max_words=3)[0]
    winner = max(found, key=lambda one: one.logprob)
    assert winner.ids == best
    assert winner.logprob == pytest.approx(logprob, abs=1e-4)


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_many_photos_at_once_equal_the_tutorials_search_of_one(seed: int, beam_size: int) -> None:
    """Seven photos in a batch get, word for word, the sentences that the tutorial's procedure finds for each alone."""
    decoder, maps = small_decoder(seed), photos(seed + 10, 7)
    together = search(decoder, maps, beam_size=beam_size, max_words=12)
    for position, found in enumerate(together):
        expected, _ = tutorial_search(decoder, decoder.annotate(maps[position : position + 1]), beam_size, 12)
        expected.sort(key=lambda one: -one[1])
        assert [one.ids for one in found] == [words for words, _ in expected]
        assert [one.logprob for one in found] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_a_photo_for_which_nothing_ends_gets_its_best_unfinished_sentence() -> None:
    """A decoder that never says <end> still describes: at most max_words + 1 words, and no crash."""
    decoder = small_decoder(0)
    decoder.fc.bias[END] = -1000.0
    found = search(decoder, photos(0, 2), beam_size=3, max_words=50)
    assert [len(group) for group in found] == [1, 1]
    assert all(len(group[0].ids) == 51 and END not in group[0].ids for group in found)


def test_banned_words_are_never_said() -> None:
    """Whatever its probability, a banned id is in no sentence, and the others share its probability."""
    decoder, maps = small_decoder(1), photos(1, 4)
    decoder.fc.bias[1] = 50.0
    free, held = search(decoder, maps, beam_size=1), search(decoder, maps, banned=[0, 1, START])
    assert any(1 in one.ids for group in free for one in group)
    assert all({0, 1, START}.isdisjoint(one.ids) for group in held for one in group)
    assert all(math.isfinite(one.logprob) for group in held for one in group)


def test_length_penalty_prefers_longer_sentences() -> None:
    """The same finished sentences come in another order; their log-probabilities stay what they are."""
    decoder, maps = small_decoder(2, sharpness=0.3), photos(2, 6)
    plain, long = search(decoder, maps), search(decoder, maps, length_penalty=10.0)
    for before, after in zip(plain, long, strict=True):
        assert sorted(one.ids for one in before) == sorted(one.ids for one in after)
        assert len(after[0].ids) >= len(before[0].ids)
    assert any(len(after[0].ids) > len(before[0].ids) for before, after in zip(plain, long, strict=True))


def test_attention_belongs_to_the_words_of_the_sentence() -> None:
    """Each word has one attention map that sums to 1 and is the one its own prefix leads to."""
    decoder, maps = small_decoder(3), photos(3, 3)
    for position, group in enumerate(search(decoder, maps, with_attention=True)):
        best = group[0]
        assert best.alpha is not None
        assert best.alpha.shape == (len(best.ids), 4)
        assert best.alpha.sum(axis=1) == pytest.approx(np.ones(len(best.ids)), abs=1e-5)
        annotations = decoder.annotate(maps[position : position + 1])
        state = decoder.start(annotations, 1)
        for t, word in enumerate((START, *best.ids[:-1])):
            step = decoder.step(decoder.embed(torch.tensor([[word]])), state, annotations)
            state = step.state
            assert np.allclose(step.alpha[0, 0], best.alpha[t], atol=1e-5)


def test_no_photos_give_no_sentences() -> None:
    """An empty batch is an empty answer."""
    assert search(small_decoder(0), photos(0, 0)) == []


def test_best_continuations_equal_sorting_them_all() -> None:
    """The K best of K·V sums, their parents and words, equal a full sort of the flat matrix; what is no number comes last."""
    random = np.random.default_rng(0)
    logprobs, scores = random.standard_normal((3, 4), np.float32), random.standard_normal((3, 4, 9), np.float32)
    scores[1, 2, 3] = np.nan
    sums, parents, nth = best_continuations(logprobs, scores, 4)
    flat = np.nan_to_num((logprobs[:, :, None] + scores).reshape(3, -1), nan=-np.inf)
    order = np.argsort(-flat, axis=1)[:, :4]
    assert np.array_equal(sums, np.take_along_axis(flat, order, axis=1))
    assert np.array_equal(parents * 9 + nth, order)


def test_start_tokens_compete_for_one_beam() -> None:
    """From two start tokens come the sentences of both, told apart by their probability; a beam of one knows the first token alone."""
    decoder, maps = small_decoder(4), photos(4, 3)
    both = search(decoder, maps, starts=[START, 0], beam_size=2 * V**3, max_words=2)
    for position, group in enumerate(both):
        alone = [search(decoder, maps, starts=[start], beam_size=V**3, max_words=2)[position] for start in (START, 0)]
        expected = sorted((one.logprob for found in alone for one in found), reverse=True)
        assert [one.logprob for one in group] == pytest.approx(expected, abs=1e-4)
    narrow = search(decoder, maps, starts=[START, 0], beam_size=1)
    assert [one[0].ids for one in narrow] == [one[0].ids for one in search(decoder, maps, beam_size=1)]


def test_a_beam_weighs_the_styles_of_its_start_tokens() -> None:
    """Every sentence brings the log-probability of its start token's style for the photo, and a beam of one begins with the likelier one."""
    torch.manual_seed(4)
    config = DecoderConfig(V, encoder_dim=6, attention_dim=5, embed_dim=7, decoder_dim=8, annotation_dim=4)
    decoder = AttentionDecoder(replace(config, n_styles=2)).eval()
    with torch.no_grad():
        decoder.get_parameter("style.weight").mul_(20)
    plain = AttentionDecoder(config).eval()
    plain.load_state_dict({name: tensor for name, tensor in decoder.state_dict().items() if not name.startswith("style.")})
    maps = photos(4, 8)
    styles = decoder.style_logprobs(decoder.annotate(maps), 2).detach()
    assert torch.allclose(styles.exp().sum(dim=1), torch.ones(8))
    assert set(styles.argmax(dim=1).tolist()) == {0, 1}
    both = search(decoder, maps, starts=[START, 0], beam_size=2 * V**2, max_words=1)
    alone = [search(plain, maps, starts=[start], beam_size=V**2, max_words=1) for start in (START, 0)]
    for position, group in enumerate(both):
        expected = [one.logprob + float(styles[position, style]) for style in (0, 1) for one in alone[style][position]]
        assert [one.logprob for one in group] == pytest.approx(sorted(expected, reverse=True), abs=1e-3)
    narrow = search(decoder, maps, starts=[START, 0], beam_size=1)
    greedy = [search(plain, maps, starts=[start], beam_size=1) for start in (START, 0)]
    assert [one[0].ids for one in narrow] == [greedy[style][position][0].ids for position, style in enumerate(styles.argmax(dim=1).tolist())]
