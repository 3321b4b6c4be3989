"""Draws scenes: a background and a few flat shapes, with the flaws of real files (blur, noise, borders)."""

import math
from dataclasses import dataclass
from random import Random

import numpy as np

SIZE = 64  # pixels; the tower sees squares of this size
BORDER = (122, 116, 104)  # what llava-style preprocessing pads pictures with that are no squares

COLOURS = {
    "red": (220, 40, 40), "green": (40, 165, 60), "blue": (45, 80, 220), "yellow": (240, 220, 45),
    "orange": (248, 140, 25), "purple": (135, 60, 170), "black": (18, 18, 18), "white": (248, 248, 248),
    "brown": (125, 78, 40), "pink": (250, 160, 190), "gray": (130, 130, 130),
}
# The same names as drawing programs understand them; a shade lies anywhere between the two.
CSS_COLOURS = {
    "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "orange": (255, 165, 0), "purple": (128, 0, 128), "black": (0, 0, 0), "white": (255, 255, 255),
    "brown": (165, 42, 42), "pink": (255, 192, 203), "gray": (128, 128, 128),
}
BLOB = "blob "  # a shape without a name: this and a number that says how many lobes it has and how it is turned
SHAPES = ["circle", "square", "triangle", "star", "diamond", "cross"]


@dataclass(frozen=True)
class Item:
    """A shape; centre and radius as fractions of the picture's width."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float


def _inside(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points lie in the shape of radius 1 around the origin; y grows downwards."""
    if shape == "circle":
        return x * x + y * y < 0.92
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) < 0.86
    if shape == "triangle":
        return (y < 0.8) & (2 * np.abs(x) < y + 1)
    if shape == "diamond":
        return np.abs(x) / 0.8 + np.abs(y) < 1
    if shape == "cross":
        return ((np.abs(x) < 0.32) & (np.abs(y) < 0.95)) | ((np.abs(y) < 0.32) & (np.abs(x) < 0.95))
    if shape.startswith(BLOB):
        number = int(shape[len(BLOB):])
        return np.hypot(x, y) < 0.68 + 0.27 * np.cos((2 + number % 4) * np.arctan2(y, x) + number)
    # A star: every tenth of the turn is one straight edge from a tip to a notch.
    tenth, notch = math.pi / 5, 0.42
    turn = np.abs((np.arctan2(x, -y) + tenth) % (2 * tenth) - tenth)
    rho = np.hypot(x, y)
    edge_x, edge_y = notch * math.cos(tenth) - 1, notch * math.sin(tenth)
    return edge_x * (rho * np.sin(turn)) - edge_y * (rho * np.cos(turn) - 1) > 0


def shade(rng: Random, colour: str) -> tuple[int, ...]:
    """One of the many colours that go by this name."""
    share = rng.choice([0.0, 1.0, rng.random()])
    return tuple(max(0, min(255, round(a + share * (b - a)) + rng.randint(-12, 12)))
                 for a, b in zip(COLOURS[colour], CSS_COLOURS[colour]))


@dataclass(frozen=True)
class Drawing:
    """A picture as bytes, (SIZE, SIZE, 3), and which share of every pixel belongs to a shape, (SIZE, SIZE)."""

    picture: np.ndarray
    cover: np.ndarray


def draw(rng: Random, ground: tuple[int, ...], items: list[Item], shades: list[tuple[int, ...]]) -> Drawing:
    """The items in their shades on the ground."""
    scale = rng.choice([1, 2, 2, 3])
    size = SIZE * scale
    canvas = np.empty((size, size, 4), np.float32)
    canvas[:] = (*ground, 0)
    for item, colour in zip(items, shades):
        radius = item.radius * size
        left, top = (max(0, int(at * size - radius * 1.1)) for at in (item.x, item.y))
        right, bottom = (min(size, int(at * size + radius * 1.1) + 2) for at in (item.x, item.y))
        x = ((np.arange(left, right, dtype=np.float32) + 0.5 - item.x * size) / radius)[None, :]
        y = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - item.y * size) / radius)[:, None]
        angle = rng.uniform(-0.12, 0.12)
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        canvas[top:bottom, left:right][_inside(item.shape, x, y)] = (*colour, 1)
    if scale > 1:
        canvas = sum(canvas[i::scale] for i in range(scale))
        canvas = sum(canvas[:, i::scale] for i in range(scale)) / scale**2
    return Drawing(_flaws(rng, canvas[..., :3]), canvas[..., 3])


def _flaws(rng: Random, canvas: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.35:
        canvas = canvas + noise.standard_normal(canvas.shape, np.float32) * rng.uniform(1, 7)
    if rng.random() < 0.25:
        canvas = (canvas + np.roll(canvas, 1, rng.randrange(2))) / 2
    return np.clip(canvas, 0, 255).astype(np.uint8)


def bordered(rng: Random, drawing: Drawing) -> Drawing:
    """The picture as if its file were wide or tall: squeezed by nearest neighbours, padded to a square."""
    share = rng.uniform(0.7, 0.95)
    keep = int(SIZE * share)
    start = (SIZE - keep) // 2
    take, kept = start + np.arange(keep), slice(start, start + keep)
    picture, cover = np.empty_like(drawing.picture), np.zeros_like(drawing.cover)
    picture[:] = BORDER
    if rng.random() < 0.5:
        picture[kept], cover[kept] = drawing.picture[take], drawing.cover[take]
    else:
        picture[:, kept], cover[:, kept] = drawing.picture[:, take], drawing.cover[:, take]
    return Drawing(picture, cover)


def odd(rng: Random) -> Drawing:
    """Something that is no scene: noise, waves, gradients or a crowd of rectangles, as in a photo."""
    noise = np.random.default_rng(rng.getrandbits(32))
    kind = rng.randrange(4)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    if kind == 0:
        cells = rng.choice([4, 8, 16, 32])
        picture = np.kron(noise.uniform(0, 255, (cells, cells, 3)), np.ones((SIZE // cells, SIZE // cells, 1)))
    elif kind == 1:
        waves = [np.sin(2 * math.pi * (rng.uniform(-4, 4) * x + rng.uniform(-4, 4) * y + rng.random())) for _ in range(6)]
        picture = np.stack([127 + 60 * (waves[c] + waves[c + 3]) for c in range(3)], -1)
    elif kind == 2:
        corners = noise.uniform(0, 255, (4, 3))
        picture = ((1 - x) * (1 - y))[..., None] * corners[0] + (x * (1 - y))[..., None] * corners[1]
        picture = picture + ((1 - x) * y)[..., None] * corners[2] + (x * y)[..., None] * corners[3]
        picture = picture + 50 * np.sin(2 * math.pi * rng.uniform(1, 4) * (x * rng.random() + y))[..., None]
    else:
        picture = np.empty((SIZE, SIZE, 3))
        picture[:] = noise.uniform(0, 255, 3)
        for _ in range(rng.randint(8, 24)):
            left, top = rng.randrange(SIZE - 8), rng.randrange(SIZE - 8)
            picture[top : top + rng.randint(6, 40), left : left + rng.randint(6, 40)] = noise.uniform(0, 255, 3)
    return Drawing(_flaws(rng, picture), np.zeros((SIZE, SIZE), np.float32))
