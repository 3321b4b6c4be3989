"""The first lesson: the tower alone names what lies at every patch and what the whole scene is.

It costs a fraction of the lesson with the language model, and only needs labels that the generator knows.
"""

from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pictures import COLOURS, SHAPES
from .scenes import KINDS, PLACES, Scene, picture, scene
from .tower import Tower, TowerShape, pixels

IGNORED = -100
COLOUR_INDEX = {c: i for i, c in enumerate(COLOURS)}
PLACE_INDEX = {p: i for i, p in enumerate(PLACES)}


class Heads(nn.Module):
    """Linear probes that are thrown away after the lesson."""

    def __init__(self, shape: TowerShape):
        super().__init__()
        self.local = nn.Linear(shape.width, len(SHAPES) + 1 + len(COLOURS))
        self.parts = [len(KINDS), 6, len(PLACES), 2, len(COLOURS)]
        self.whole = nn.Linear(shape.width, sum(self.parts))


def patch_labels(what: Scene, shape: TowerShape) -> tuple[list[int], list[int]]:
    """Shape (0: none) and colour at the centre of every patch, row by row."""
    side = shape.size // shape.patch
    shapes, colours = [], []
    for at in range(side * side):
        x, y = (at % side + 0.5) / side, (at // side + 0.5) / side
        under = next((i for i in what.items if (x - i.x) ** 2 + (y - i.y) ** 2 < (0.6 * i.radius) ** 2), None)
        close = any((x - i.x) ** 2 + (y - i.y) ** 2 < (1.1 * i.radius) ** 2 for i in what.items)
        shapes.append(SHAPES.index(under.shape) + 1 if under else IGNORED if close else 0)
        colours.append(COLOUR_INDEX[under.colour] if under else IGNORED if close else COLOUR_INDEX[what.background])
    return shapes, colours


def whole_labels(what: Scene) -> list[int]:
    if what.kind == "odd":
        return [KINDS.index("odd")] + [IGNORED] * 4
    relation = IGNORED if what.relation is None else int(what.relation == "above")
    place = IGNORED if what.place is None else PLACE_INDEX[what.place]
    return [KINDS.index(what.kind), len(what.items), place, relation, COLOUR_INDEX[what.background]]


def drill_loss(tower: Tower, heads: Heads, rng: Random, count: int) -> Tensor:
    scenes = [scene(rng) for _ in range(count)]
    labels = [patch_labels(s, tower.shape) if s.kind != "odd" else ([IGNORED] * tower.shape.tokens,) * 2 for s in scenes]
    wholes = torch.tensor([whole_labels(s) for s in scenes])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = tower.features(pixels([picture(rng, s) for s in scenes]))
        local, whole = heads.local(features), heads.whole(features.mean(1))
    local, whole = local.float(), whole.float()
    cut = len(SHAPES) + 1
    loss = F.cross_entropy(local[..., :cut].flatten(0, 1), torch.tensor([a for a, _ in labels]).flatten())
    loss = loss + F.cross_entropy(local[..., cut:].flatten(0, 1), torch.tensor([b for _, b in labels]).flatten())
    for part, wanted in zip(whole.split(heads.parts, 1), wholes.unbind(1)):
        if (wanted != IGNORED).any():
            loss = loss + 0.5 * F.cross_entropy(part, wanted)
    return loss
