"""Show, Attend and Tell: an LSTM that looks at the grid anew for every word (Xu et al. 2015, section 3.1, soft attention).

One class runs both the packaged checkpoint and that of the sgrvinod tutorial; they differ in `DecoderConfig` alone. Letters in shapes: N photos, G sentences
per photo (hypotheses, or captions in training), P grid cells, A annotation size, K attention size, E word vector size, D state size, V vocabulary size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from igsearch.captioner.config import DecoderConfig


class Annotations(NamedTuple):
    """What the decoder attends to: values (N, P, A) and their attention keys (N, P, K), computed once per photo."""

    values: Tensor
    keys: Tensor

    def photos(self, index: Tensor | slice) -> Annotations:
        """Those of the chosen photos."""
        return Annotations(self.values[index], self.keys[index])


class State(NamedTuple):
    """The LSTM's hidden and cell state, each (N, G, D)."""

    hidden: Tensor
    cell: Tensor

    def photos(self, index: Tensor | slice) -> State:
        """Those of the chosen photos."""
        return State(self.hidden[index], self.cell[index])


class Step(NamedTuple):
    """One word's worth of decoding: the new state, the gated context (N, G, A) and the attention weights (N, G, P), which sum to 1 over P."""

    state: State
    context: Tensor
    alpha: Tensor


class Attention(nn.Module):
    """Additive attention over grid cells (equations 4 to 6 of the paper)."""

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)

    def forward(self, annotations: Annotations, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Context (N, G, A) and weights (N, G, P) for hidden states (N, G, D)."""
        query = self.decoder_att(hidden)
        energy = self.full_att(torch.relu(annotations.keys.unsqueeze(1) + query.unsqueeze(2))).squeeze(3)
        alpha = torch.softmax(energy.float(), dim=2)
        return torch.bmm(alpha.to(annotations.values.dtype), annotations.values), alpha


class AttentionDecoder(nn.Module):
    """Feature map to words, one step at a time."""

    def __init__(self, config: DecoderConfig, *, dropout: float = 0.5, input_dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        annotation_dim = config.annotation_dim or config.encoder_dim
        self.neck = nn.Linear(config.encoder_dim, annotation_dim) if config.annotation_dim else None
        self.attention = Attention(annotation_dim, config.decoder_dim, config.attention_dim)
        self.embedding = nn.Embedding(config.vocabulary_size, config.embed_dim)
        self.decode_step = nn.LSTMCell(config.embed_dim + annotation_dim, config.decoder_dim)
        self.init_h = nn.Linear(annotation_dim, config.decoder_dim)
        self.init_c = nn.Linear(annotation_dim, config.decoder_dim)
        self.f_beta = nn.Linear(config.decoder_dim, annotation_dim)
        self.style = nn.Linear(annotation_dim, config.n_styles) if config.n_styles else None
        if config.deep_output:
            self.output_hidden = nn.Linear(config.decoder_dim, config.embed_dim)
            self.output_context = nn.Linear(annotation_dim, config.embed_dim, bias=False)
        self.fc = nn.Linear(config.embed_dim if config.deep_output else config.decoder_dim, config.vocabulary_size)
        self.dropout = nn.Dropout(dropout)
        self.input_dropout = nn.Dropout(input_dropout)

    def annotate(self, feature_map: Tensor) -> Annotations:
        """The grid (N, C, H, W) as annotation vectors, P = H·W cells in row-major order."""
        values = feature_map.flatten(2).transpose(1, 2)
        if self.neck is not None:
            values = self.input_dropout(torch.relu(self.neck(values)))
        return Annotations(values, self.attention.encoder_att(values))

    def start(self, annotations: Annotations, n_sentences: int) -> State:
        """The state before the first word, the same for all sentences of a photo: two linear maps of the mean annotation."""
        mean = annotations.values.mean(dim=1)
        hidden, cell = (linear(mean).unsqueeze(1).expand(-1, n_sentences, -1) for linear in (self.init_h, self.init_c))
        return State(hidden, cell)

    def style_logprobs(self, annotations: Annotations, n_styles: int) -> Tensor:
        """How likely a caption of each style is for a photo: log-probabilities (N, n_styles), zeros where the decoder does not weigh styles."""
        if self.style is None:
            return annotations.values.new_zeros(len(annotations.values), n_styles, dtype=torch.float32)
        return torch.log_softmax(self.style(annotations.values.mean(dim=1)).float(), dim=1)

    def embed(self, words: Tensor) -> Tensor:
        """Word ids (…) to vectors (…, E)."""
        embedded: Tensor = self.input_dropout(self.embedding(words))
        return embedded

    def step(self, embedded: Tensor, state: State, annotations: Annotations) -> Step:
        """Read one word vector (N, G, E) per sentence and look at the grid; the gate takes the state from before the word."""
        context, alpha = self.attention(annotations, state.hidden)
        context = torch.sigmoid(self.f_beta(state.hidden)) * context
        read = torch.cat([embedded, context.to(embedded.dtype)], dim=2).flatten(0, 1)
        hidden, cell = self.decode_step(read, (state.hidden.flatten(0, 1), state.cell.flatten(0, 1)))
        shape = state.hidden.shape
        return Step(State(hidden.view(shape), cell.view(shape)), context, alpha)

    def logits(self, embedded: Tensor, hidden: Tensor, context: Tensor) -> Tensor:
        """Scores (…, V) of the next word from the word read, the new hidden state and the gated context."""
        if self.config.deep_output:
            hidden = torch.tanh(embedded + self.output_hidden(hidden) + self.output_context(context))
        scores: Tensor = self.fc(self.dropout(hidden))
        return scores
