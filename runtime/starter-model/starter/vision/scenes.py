"""What a picture shows, what can be asked about it, and the right answers.

Combinations of shape and colour in `HELD_OUT` never occur in training, alone or beside others.
"""

import math
from dataclasses import dataclass
from random import Random

import numpy as np

from .pictures import COLOURS, SHAPES, Drawing, Item, bordered, draw, odd, shade

DESCRIBE = "Describe the image in one short sentence."
DESCRIPTIONS = [
    DESCRIBE, "Describe the image.", "Describe this image.", "Describe the picture.", "What is in the image?",
    "What is in this picture?", "What do you see?", "What does the image show?", "What can you see in the image?",
]
NEW_DESCRIPTIONS = ["Describe the picture in one sentence.", "What does the picture show?", "What can you see in this picture?"]
EACH = "Describe each image in one short sentence."
UNKNOWN = "I only know pictures of a few coloured shapes."
NUMBERS = ["no", "one", "two", "three", "four", "five"]
PLACES = {
    "top left": (0.22, 0.22), "top": (0.5, 0.2), "top right": (0.78, 0.22), "left": (0.2, 0.5),
    "right": (0.8, 0.5), "bottom left": (0.22, 0.78), "bottom": (0.5, 0.8), "bottom right": (0.78, 0.78),
}
RELATIONS = ["to the left of", "above"]
KINDS = ["plain", "single", "place", "count", "beside", "odd"]
WEIGHTS = [5, 22, 20, 24, 21, 8]

HELD_OUT = {
    ("circle", "orange"), ("circle", "brown"), ("square", "pink"), ("square", "green"), ("triangle", "red"),
    ("triangle", "gray"), ("star", "blue"), ("star", "white"), ("diamond", "yellow"), ("diamond", "purple"),
    ("cross", "black"), ("cross", "orange"),
}


def article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def plural(shape: str) -> str:
    return shape + ("es" if shape == "cross" else "s")


@dataclass(frozen=True)
class Scene:
    kind: str
    background: str
    items: list[Item]
    place: str | None
    relation: str | None

    @property
    def caption(self) -> str:
        if self.kind == "odd":
            return UNKNOWN
        if self.kind == "plain":
            return f"A plain {self.background} image."
        ground = article(self.background) + (" image" if self.kind == "place" else " background")
        first = self.items[0]
        name = f"{article(first.colour)} {first.shape}"
        if self.kind == "single":
            text = f"{name} on {ground}."
        elif self.kind == "place":
            text = f"{name} at the {self.place} of {ground}."
        elif self.kind == "count":
            text = f"{NUMBERS[len(self.items)]} {first.colour} {plural(first.shape)} on {ground}."
        else:
            second = self.items[1]
            text = f"{name} {self.relation} {article(second.colour)} {second.shape} on {ground}."
        return text[0].upper() + text[1:]

    @property
    def drawable(self) -> bool:
        """Whether all its words are colours and shapes."""
        return self.background in COLOURS and all(i.colour in COLOURS and i.shape in SHAPES for i in self.items)

    def questions(self) -> list[tuple[str, str]]:
        """Narrow questions with their answers."""
        if self.kind in ("plain", "odd"):
            return []
        first = self.items[0]
        asked = [(f"What {c} is the background?", f"The background is {self.background}.") for c in ("colour", "color")]
        if self.kind == "beside":
            return asked + [(f"What colour is the {i.shape}?", f"The {i.shape} is {i.colour}.")
                            for i in self.items if self.items[0].shape != self.items[1].shape]
        count = len(self.items)
        be = f"There is one {first.shape}." if count == 1 else f"There are {NUMBERS[count]} {plural(first.shape)}."
        asked += [(f"How many {plural(first.shape)} are there?", be), ("How many shapes are there?", be)]
        if count > 1:
            return asked + [("What colour are the shapes?", f"The shapes are {first.colour}.")]
        asked += [(f"What {c} is the {first.shape}?", f"The {first.shape} is {first.colour}.") for c in ("colour", "color")]
        asked += [("What shape is it?", f"It is {article(first.shape)}."),
                  ("What shape is in the image?", f"It is {article(first.shape)}.")]
        place = "in the middle" if self.place is None else f"at the {self.place}"
        return asked + [(f"Where is the {first.shape}?", f"It is {place}."), ("Where is the shape?", f"It is {place}.")]


def _pair(rng: Random, background: str, new: bool) -> tuple[str, str]:
    """A shape and its colour: seen ones for training, or one of the held-out ones."""
    while True:
        pair = (rng.choice(SHAPES), rng.choice(list(COLOURS)))
        if pair[1] != background and (pair in HELD_OUT) == new:
            return pair


def _spread(rng: Random, count: int, radius: float) -> list[tuple[float, float]]:
    """Centres that keep their distance from each other and from the edges."""
    while True:
        spots: list[tuple[float, float]] = []
        for _ in range(60):
            x, y = rng.uniform(radius + 0.03, 0.97 - radius), rng.uniform(radius + 0.03, 0.97 - radius)
            if all((x - a) ** 2 + (y - b) ** 2 > (2.25 * radius) ** 2 for a, b in spots):
                spots.append((x, y))
            if len(spots) == count:
                return spots


def scene(rng: Random, new: bool = False, kind: str | None = None) -> Scene:
    """Draws what a picture shows; with `new`, its first shape has a held-out colour."""
    kind = kind or rng.choices(KINDS, WEIGHTS)[0]
    background = "white" if rng.random() < 0.3 else rng.choice(list(COLOURS))
    if kind in ("plain", "odd"):
        return Scene(kind, background, [], None, None)
    pair = _pair(rng, background, new)
    while new and pair[1] == background:
        background = rng.choice(list(COLOURS))
    near = lambda at: at + rng.uniform(-0.05, 0.05)  # noqa: E731
    if kind == "single":
        return Scene(kind, background, [Item(*pair, near(0.5), near(0.5), rng.uniform(0.2, 0.4))], None, None)
    if kind == "place":
        place = rng.choice(list(PLACES))
        x, y = PLACES[place]
        return Scene(kind, background, [Item(*pair, near(x), near(y), rng.uniform(0.12, 0.18))], place, None)
    if kind == "count":
        count = rng.randint(2, 5)
        radius = rng.uniform(0.11, {2: 0.19, 3: 0.17, 4: 0.15, 5: 0.14}[count])
        return Scene(kind, background, [Item(*pair, x, y, radius) for x, y in _spread(rng, count, radius)], None, None)
    other = _pair(rng, background, False)
    while other == pair:
        other = _pair(rng, background, False)
    relation = rng.choice(RELATIONS)
    low, high, middle = near(0.25), near(0.75), rng.uniform(0.38, 0.62)
    spots = [(low, middle), (high, near(middle))] if relation == "to the left of" else [(middle, low), (near(middle), high)]
    items = [Item(*p, x, y, rng.uniform(0.13, 0.21)) for p, (x, y) in zip((pair, other), spots)]
    return Scene(kind, background, items, None, relation)


def crowd(rng: Random) -> Scene:
    """Many shapes of all kinds, which no sentence describes: for learning shapes, a picture full of examples."""
    background, items = rng.choice(list(COLOURS)), []
    for _ in range(40):
        radius = rng.uniform(0.1, 0.2) if rng.random() < 0.85 else rng.uniform(0.2, 0.38)
        x, y = rng.uniform(radius, 1 - radius), rng.uniform(radius, 1 - radius)
        if all(math.hypot(x - i.x, y - i.y) > 1.05 * (radius + i.radius) for i in items):
            items.append(Item(*_pair(rng, background, False), x, y, radius))
    return Scene("crowd", background, items, None, None)


def drawing(rng: Random, what: Scene, shades: list[tuple[int, ...]] | None = None) -> Drawing:
    """The scene drawn; now and then with the borders of a picture that is no square.

    `shades` are colours for the background and the items instead of those that the scene names.
    """
    if what.kind == "odd":
        return odd(rng)
    ground, *rest = shades or [shade(rng, c) for c in (what.background, *(i.colour for i in what.items))]
    drawn = draw(rng, ground, what.items, rest)
    return bordered(rng, drawn) if what.kind == "single" and rng.random() < 0.15 else drawn


def picture(rng: Random, what: Scene) -> np.ndarray:
    """The scene as bytes, (SIZE, SIZE, 3)."""
    return drawing(rng, what).picture
