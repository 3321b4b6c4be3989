"""The first lesson: the tower alone learns what lies at every patch, and to write its answers into their rows.

It costs a fraction of the lesson with the language model, and only needs labels that the generator knows.
"""

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pictures import BLOB, COLOURS, CSS_COLOURS, SHAPES, shade
from .scenes import Scene, crowd, drawing, scene
from .slots import ROWS, SHAPE_COLOUR_ROWS, SHAPE_ROWS, answers
from .tower import Tower, TowerShape, pixels

IGNORED = -100
COLOUR_INDEX = {c: i for i, c in enumerate(COLOURS)}
CELLS = 4  # per side of a patch, for the outline
# Share of pictures in colours without a name, of crowds and of scenes. Only they tell the tower what shapes are: in the
# named colours it would learn which shapes a colour may have, and with that the wrong answer for held-out combinations.
# For the same reason most shapes in named colours have no name.
STRANGE = {"crowd": 0.8, "scene": 0.6}
BLOBS = 0.7
FAR, CLEAR = 50.0, 70.0  # distances in RGB: from every named colour, and from the background
OUTLINES_AFTER, PARTS_AFTER = (1, 2), 3  # blocks


NAMED = [c for table in (COLOURS, CSS_COLOURS) for c in table.values()]


def strange_shades(rng: Random, what: Scene) -> list[tuple[int, ...]]:
    """A shade for the background, which keeps its name, and colours without a name for the shapes."""
    ground = shade(rng, what.background)
    shades: dict[str, tuple[int, ...]] = {}
    for colour in {i.colour: None for i in what.items}:
        while True:
            shades[colour] = tuple(rng.randrange(256) for _ in range(3))
            if math.dist(shades[colour], ground) > CLEAR and all(math.dist(shades[colour], n) > FAR for n in NAMED):
                break
    return [ground, *(shades[i.colour] for i in what.items)]


def with_blobs(rng: Random, what: Scene) -> Scene:
    """The scene with a shape without a name for each kind of shape."""
    names = {shape: BLOB + str(rng.randrange(1000)) for shape in SHAPES}
    return replace(what, items=[replace(i, shape=names[i.shape]) for i in what.items])


def row_labels(what: Scene, strange: bool) -> list[int]:
    """Which answer is right in each row."""
    if what.kind == "crowd":
        return [IGNORED] * len(ROWS)
    unknown = SHAPE_COLOUR_ROWS if strange else SHAPE_ROWS
    return [IGNORED if word and row in unknown else ROWS[row].index(word) for row, word in enumerate(answers(what))]


@dataclass(frozen=True)
class Lesson:
    """Pictures and what is known about them; `IGNORED` where something is not asked."""

    shown: Tensor  # (pictures, 3, size, size)
    outline: Tensor  # (pictures, tokens, cells), share of each cell that shapes cover
    shape: Tensor  # (pictures, tokens)
    colour: Tensor  # (pictures, tokens), of the shape at a patch
    ground: Tensor  # (pictures, tokens), of the background
    centre: Tensor  # (pictures, tokens), whether a shape's centre lies here
    answers: Tensor  # (pictures, rows)


def lesson(rng: Random, count: int, shape: TowerShape, crowds: float = 0.0, exam: str = "") -> Lesson:
    """`crowds` is their share. An `exam` in "seen" or "held-out" combinations asks everything, to see how well it does."""
    side, drawn, rows = shape.side, [], []
    at = (np.arange(side) + 0.5) / side
    labels = np.full((4, count, side, side), IGNORED)
    for n in range(count):
        what = crowd(rng) if rng.random() < crowds else scene(rng, exam == "held-out")
        strange = bool(what.items) and not exam and rng.random() < STRANGE["crowd" if what.kind == "crowd" else "scene"]
        blobs = not strange and not exam and rng.random() < BLOBS
        drawn.append(drawing(rng, with_blobs(rng, what) if blobs else what, strange_shades(rng, what) if strange else None))
        rows.append(row_labels(what, strange) if not exam else [ROWS[r].index(w) for r, w in enumerate(answers(what))])
        if what.kind == "odd":
            continue
        labels[0, n], labels[2, n], labels[3, n] = 0, COLOUR_INDEX[what.background], 0
        away = [(item, np.hypot(at[None, :] - item.x, at[:, None] - item.y)) for item in what.items]
        for item, far in away:
            labels[0, n][far < 1.5 * item.radius] = IGNORED
        for item, far in away:
            if strange or exam:
                labels[0, n][far < 1.05 * item.radius] = SHAPES.index(item.shape) + 1
            if not strange:
                labels[1, n][far < 0.8 * item.radius] = COLOUR_INDEX[item.colour]
            labels[3, n, min(side - 1, int(item.y * side)), min(side - 1, int(item.x * side))] = 1
    cover = torch.from_numpy(np.stack([d.cover for d in drawn]))[:, None]
    cell = shape.patch // CELLS
    outline = F.unfold(F.avg_pool2d(cover, cell), CELLS, stride=CELLS).transpose(1, 2)
    return Lesson(pixels([d.picture for d in drawn]), outline, *torch.from_numpy(labels).flatten(2), torch.tensor(rows))


class Heads(nn.Module):
    """Linear probes that are thrown away after the lesson."""

    def __init__(self, shape: TowerShape):
        super().__init__()
        self.side = shape.side
        self.outlines = nn.ModuleList(nn.Linear(shape.width, CELLS**2) for _ in OUTLINES_AFTER)
        self.parts = nn.Linear(shape.width, len(SHAPES) + 1 + 2 * len(COLOURS) + 2)
        self.rows = nn.ModuleList(nn.Linear(shape.width, len(answers)) for answers in ROWS)

    def parts_loss(self, stages: list[Tensor], lesson: Lesson) -> Tensor:
        loss = sum(2 * F.binary_cross_entropy_with_logits(head(stages[after]), lesson.outline)
                   for head, after in zip(self.outlines, OUTLINES_AFTER))
        for part, wanted in zip(self.named(stages), (lesson.shape, lesson.colour, lesson.ground, lesson.centre)):
            loss = loss + F.cross_entropy(part.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
        return loss

    def named(self, stages: list[Tensor]) -> tuple[Tensor, ...]:
        return self.parts(stages[PARTS_AFTER]).split([len(SHAPES) + 1, len(COLOURS), len(COLOURS), 2], -1)

    def rows_loss(self, tower: Tower, stages: list[Tensor], lesson: Lesson, tables: list[Tensor]) -> Tensor:
        """`tables` has the wanted tokens: (answers, out) for each row."""
        last = tower.norm(stages[-1]).unflatten(1, (self.side, self.side))
        told = tower.project(stages[-1]).unflatten(1, (self.side, self.side))
        loss = torch.zeros(())
        for row, (head, table) in enumerate(zip(self.rows, tables)):
            known = lesson.answers[:, row] != IGNORED
            if known.any():
                wanted = lesson.answers[known, row][:, None].expand(-1, self.side)
                loss = loss + 0.5 * F.cross_entropy(head(last[known, row]).flatten(0, 1), wanted.flatten())
                loss = loss + 0.1 * (told[known, row] - table[wanted]).square().sum(-1).mean()
        return loss
