"""Draws scenes: a background and a few flat shapes, with the flaws of real files (blur, noise, borders)."""

import math
from dataclasses import dataclass
from random import Random

import numpy as np

SIZE = 72  # pixels; the tower sees squares of this size
BORDER = (122, 116, 104)  # what llava-style preprocessing pads pictures with that are no squares

COLOURS = {
    "red": (220, 40, 40), "green": (40, 165, 60), "blue": (45, 80, 220), "yellow": (240, 220, 45),
    "orange": (248, 140, 25), "purple": (135, 60, 170), "black": (18, 18, 18), "white": (248, 248, 248),
    "brown": (125, 78, 40), "pink": (250, 160, 190), "gray": (130, 130, 130),
}
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
    # A star: every tenth of the turn is one straight edge from a tip to a notch.
    tenth, notch = math.pi / 5, 0.42
    turn = np.abs((np.arctan2(x, -y) + tenth) % (2 * tenth) - tenth)
    rho = np.hypot(x, y)
    edge_x, edge_y = notch * math.cos(tenth) - 1, notch * math.sin(tenth)
    return edge_x * (rho * np.sin(turn)) - edge_y * (rho * np.cos(turn) - 1) > 0


def _shade(rng: Random, colour: str) -> np.ndarray:
    return np.clip(np.array([c + rng.randint(-14, 14) for c in COLOURS[colour]]), 0, 255)


def draw(rng: Random, background: str, items: list[Item]) -> np.ndarray:
    """The scene as bytes, (SIZE, SIZE, 3)."""
    scale = rng.choice([1, 2, 2, 3])
    size = SIZE * scale
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = _shade(rng, background)
    for item in items:
        radius = item.radius * size
        left, top = int(item.x * size - radius * 1.1), int(item.y * size - radius * 1.1)
        span = int(radius * 2.2) + 2
        box = np.s_[max(top, 0) : max(top + span, 0), max(left, 0) : max(left + span, 0)]
        rows, columns = np.mgrid[0:size, 0:size][0][box], np.mgrid[0:size, 0:size][1][box]
        x, y = (columns + 0.5 - item.x * size) / radius, (rows + 0.5 - item.y * size) / radius
        angle = rng.uniform(-0.12, 0.12)
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        canvas[box][_inside(item.shape, x, y)] = _shade(rng, item.colour)
    if scale > 1:
        canvas = canvas.reshape(SIZE, scale, SIZE, scale, 3).mean((1, 3))
    return _flaws(rng, canvas)


def _flaws(rng: Random, canvas: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.35:
        canvas = canvas + noise.normal(0, rng.uniform(1, 7), canvas.shape)
    if rng.random() < 0.25:
        canvas = (canvas + np.roll(canvas, 1, rng.randrange(2))) / 2
    return np.clip(canvas, 0, 255).astype(np.uint8)


def bordered(rng: Random, picture: np.ndarray) -> np.ndarray:
    """The picture as if its file were wide or tall: squeezed by nearest neighbours, padded to a square."""
    share = rng.uniform(0.7, 0.95)
    keep = int(SIZE * share)
    start = (SIZE - keep) // 2
    take = start + np.arange(keep)
    out = np.empty_like(picture)
    out[:] = BORDER
    if rng.random() < 0.5:
        out[start : start + keep] = picture[take]
    else:
        out[:, start : start + keep] = picture[:, take]
    return out


def odd(rng: Random) -> np.ndarray:
    """Something that is no scene: noise, waves, gradients or a crowd of rectangles, as in a photo."""
    noise = np.random.default_rng(rng.getrandbits(32))
    kind = rng.randrange(4)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    if kind == 0:
        cells = rng.choice([6, 9, 12, 18, 36])
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
    return _flaws(rng, picture)
