"""The words a decoder knows, by position."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from igsearch.errors import CheckpointError

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and special tokens; a word's id is its position. Raises CheckpointError if a word is there twice or a special token is missing."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words):
            raise CheckpointError("the vocabulary has a word twice: this is not a checkpoint igsearch wrote")
        if missing := {PAD, UNKNOWN, START, END} - set(self.words):
            raise CheckpointError(f"the vocabulary lacks {', '.join(sorted(missing))}: this is not a checkpoint igsearch wrote")

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read a JSON list of words. Raises CheckpointError on anything else."""
        try:
            words = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise CheckpointError(f"the vocabulary is not JSON: {err}") from err
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise CheckpointError("the vocabulary is not a JSON list of words")
        return cls(tuple(words))

    def to_json(self) -> str:
        """A JSON list of words, one a line."""
        return json.dumps(self.words, ensure_ascii=False, indent=0)

    def id(self, word: str) -> int:
        """The word's position. Raises CheckpointError if it has none."""
        try:
            return self.words.index(word)
        except ValueError as err:
            raise CheckpointError(f"the vocabulary has no {word!r}") from err

    def sentence(self, ids: Iterable[int]) -> str:
        """Ids up to the first `<end>` as a sentence; other special tokens are left out."""
        said = []
        for position in ids:
            word = self.words[position]
            if word == END:
                break
            if not is_special(word):
                said.append(word)
        return " ".join(said)

    @property
    def unspoken(self) -> Sequence[int]:
        """Ids that no caption should contain: every special token but `<end>`."""
        return [position for position, word in enumerate(self.words) if is_special(word) and word != END]


def is_special(word: str) -> bool:
    """Whether `word` is a token such as `<start>` and not something to say."""
    return word.startswith("<") and word.endswith(">")
