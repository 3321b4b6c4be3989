"""What the tower tells the language model: every row of its patches answers one question about the picture.

The grid has as many rows as there are questions. All tokens of a row end as the same vector, which is made of the
language model's own embeddings of the answer's word, so that there is little to learn for reading it.
"""

from random import Random

import torch
from torch import Tensor

from ..model import Starter
from ..tokenizer import Tokenizer
from .pictures import COLOURS, SHAPES
from .scenes import NUMBERS, PLACES, RELATIONS, Scene

KINDS = ["unknown", "plain", *NUMBERS[1:]]
WHERE = ["", "middle", *PLACES, *RELATIONS]
# The answers of each row, from the top: how many, the first shape's colour and kind, where, the second one's, background.
ROWS = [KINDS, ["", *COLOURS], ["", *SHAPES], WHERE, ["", *COLOURS], ["", *SHAPES], ["", *COLOURS], KINDS]
SHAPE_COLOUR_ROWS, SHAPE_ROWS = (1, 4), (2, 5)
LENGTH = 2.2  # about that of the language model's embeddings


def answers(what: Scene) -> list[str]:
    """The right word of each row; nothing where a question makes no sense."""
    if what.kind == "odd":
        return ["unknown", "", "", "", "", "", "", "unknown"]
    if what.kind == "plain":
        return ["plain", "", "", "", "", "", what.background, "plain"]
    first = what.items[0]
    second = [what.items[1].colour, what.items[1].shape] if what.kind == "beside" else ["", ""]
    where = what.place or what.relation or ("middle" if what.kind == "single" else "")
    count = NUMBERS[len(what.items)]
    return [count, first.colour, first.shape, where, *second, what.background, count]


class Codes:
    """The vectors of words in rows, (width): the word in its usual length, and a direction that marks the row."""

    def __init__(self, model: Starter, tokenizer: Tokenizer):
        self.embeddings, self.tokenizer = model.embedding.weight.detach().clone(), tokenizer
        fixed = torch.Generator().manual_seed(5)
        marks = torch.linalg.qr(torch.randn(model.shape.width, len(ROWS), generator=fixed))[0].T
        self.marks = 0.6 * LENGTH * marks
        self.tables = [torch.stack([self.of(row, word) for word in words]) for row, words in enumerate(ROWS)]

    def of(self, row: int, word: str) -> Tensor:
        if not word:
            return self.marks[row]
        pieces = self.embeddings[self.tokenizer.segment(" " + word)]
        sum_ = pieces[0] + 0.6 * pieces[1:].sum(0)  # the first one matters most: what follows is spelling
        return self.marks[row] + sum_ * (0.8 * LENGTH / sum_.norm())

    def tokens(self, words: list[str], rng: Random) -> Tensor:
        """What a tower would give for these answers, (tokens, width): noisy, and now and then in doubt."""
        side = len(ROWS)
        out = torch.stack([self.of(row, word) for row, word in enumerate(words)])
        for row, table in enumerate(self.tables):
            if rng.random() < 0.08:
                out[row] = out[row].lerp(table[rng.randrange(len(table))], rng.uniform(0, 0.4))
        out = out[:, None].expand(side, side, -1)
        return (out + rng.uniform(0, 0.06) * torch.randn(out.shape)).flatten(0, 1)
