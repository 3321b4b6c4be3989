"""Packs documents of the endless corpus into rows for training."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from .chat import PROMPT, Document, estrange
from .corpus import documents
from .tokenizer import END_ID, Tokenizer


@dataclass
class Batch:
    """Rows of whole documents; `mask` keeps the documents of a row apart."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    mask: Tensor

    @property
    def tokens(self) -> int:
        """Tokens of documents, without the padding."""
        return int((self.inputs != END_ID).sum())


class Packer:
    """Draws documents from the corpus and fills rows of a given length greedily."""

    def __init__(self, tokenizer: Tokenizer, seed: int, late: bool = False, strange: float = 0.0):
        """`strange` is the share of documents whose questions are put in words that the corpus does not use."""
        self.tokenizer = tokenizer
        self.rng = Random(seed)
        self.late = late
        self.strange = strange
        self.words = tokenizer.words()
        self.source = self._documents(seed)

    def _documents(self, seed: int) -> Iterator[Document]:
        while True:
            yield from documents(10_000, seed, self.late)
            seed += 1_000_003

    def _encoded(self, continues: bool) -> tuple[list[int], list[float]]:
        """The next document as ids and weights; a chat that continues another one drops its system prompt."""
        document = next(self.source)
        if self.strange > 0 and self.rng.random() < self.strange:
            document = estrange(self.rng, document, self.words)
        if continues and "<|im_start|>system" in document[0][0]:
            document = document[1:]
        ids: list[int] = []
        weights: list[float] = []
        for text, weight in document:
            piece = self.tokenizer.segment(text)
            ids += piece
            weights += [weight] * len(piece)
        return ids, weights

    def batch(self, rows: int, length: int, joined: float) -> Batch:
        """`joined` is the share of documents that see the documents before them in the row."""
        x = torch.full((rows, length), END_ID)
        y = torch.full((rows, length), END_ID)
        w = torch.zeros(rows, length)
        owner = torch.zeros(rows, length, dtype=torch.long)
        for row in range(rows):
            position, number, misses = 0, 1, 0
            while misses < 3:
                join = position > 0 and self.rng.random() < joined
                ids, weights = self._encoded(join)
                ids, weights = ids[: length - 1], weights[: length - 1]
                end = position + len(ids)
                if end >= length:
                    misses += 1
                    continue
                if not join and position > 0:
                    number += 1
                x[row, position:end] = torch.tensor(ids)
                y[row, position : end - 1] = torch.tensor(ids[1:])
                w[row, position : end - 1] = torch.tensor(weights[1:])
                w[row, end - 1] = PROMPT
                owner[row, position:end] = number
                if join:
                    w[row, position - 1] = 0.0
                position = end
        same = owner[:, :, None] == owner[:, None, :]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return Batch(x, y, w, (same & causal)[:, None])
