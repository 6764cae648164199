"""Models of Hugging Face small enough to be made by a test: the real classes, saved as transformers saves them, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = ("a", "the", "man", "woman", "dog", "cat", "beach", "water", "standing", "riding", "red", "on", "in", "with", "of", "tree")
PAD, UNKNOWN, CLS, SEP, START = range(5)
N_TOKENS = 5 + len(WORDS)
VISION = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
TEXT = {"vocab_size": N_TOKENS, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64}


def save_tokenizer(folder: Path) -> None:
    """A tokenizer that knows `WORDS` and five special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]")
    words = Tokenizer(models.WordLevel({word: position for position, word in enumerate((*special, *WORDS))}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    roles = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "bos_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="[SEP]", **roles).save_pretrained(folder)


def save_blip(folder: Path) -> None:
    """As Salesforce/blip-image-captioning-base."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    text = TEXT | {
        "encoder_hidden_size": 16,
        "projection_dim": 8,
        "bos_token_id": START,
        "eos_token_id": SEP,
        "sep_token_id": SEP,
        "pad_token_id": PAD,
        "initializer_range": 0.5,
    }
    config = BlipConfig(text_config=text, vision_config=VISION | {"projection_dim": 8}, projection_dim=8)
    model = BlipForConditionalGeneration(config)
    speak_words(model.text_decoder.cls.predictions.bias, end=0.5)
    save(model, BlipImageProcessor(size={"height": 32, "width": 32}), folder)


def save_git(folder: Path) -> None:
    """As microsoft/git-base-coco."""
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM

    config = GitConfig(vision_config=VISION, **TEXT, bos_token_id=CLS, eos_token_id=SEP, pad_token_id=PAD, initializer_range=0.5)
    model = GitForCausalLM(config)
    speak_words(model.output.bias, end=2.5)
    save(model, CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), folder)


def save_vit_gpt2(folder: Path) -> None:
    """As nlpconnect/vit-gpt2-image-captioning."""
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig, ViTImageProcessor

    text = GPT2Config(vocab_size=N_TOKENS, n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=START, eos_token_id=SEP, initializer_range=0.5)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(**VISION), text, decoder_start_token_id=START, pad_token_id=PAD, eos_token_id=SEP
    )
    model = VisionEncoderDecoderModel(config)
    model.generation_config.suppress_tokens = [PAD, UNKNOWN, CLS, START]
    save(model, ViTImageProcessor(size={"height": 32, "width": 32}), folder)


def speak_words(bias: torch.Tensor, *, end: float) -> None:
    """Make special tokens unlikely, so that a sentence's words are all of its tokens, but for the one that ends it, which `end` brings sooner."""
    bias.data[[PAD, UNKNOWN, CLS, START]] = -50.0
    bias.data[SEP] = end


def save(model: Any, image_processor: Any, folder: Path) -> None:  # noqa: ANN401 - transformers' classes, which ship no types
    """Everything that a repository of the Hub holds, in transformers' own format."""
    model.save_pretrained(folder)
    image_processor.save_pretrained(folder)
    save_tokenizer(folder)


KINDS: dict[str, Callable[[Path], None]] = {"blip": save_blip, "git": save_git, "vit-gpt2": save_vit_gpt2}


def make(kind: str, folder: Path) -> Path:
    """A model of a kind, the same whenever it is made, in `folder`."""
    torch.manual_seed(9)
    KINDS[kind](folder)
    return folder
