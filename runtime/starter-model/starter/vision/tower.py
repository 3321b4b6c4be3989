"""A LLaVA-1.5 style tower: a vision transformer over patches and an MLP projector into the language model.

llama.cpp's `mlp` projector loads it; every patch becomes one token of the language model.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pictures import SIZE


@dataclass(frozen=True)
class TowerShape:
    size: int = SIZE
    patch: int = 12
    width: int = 192
    heads: int = 6
    hidden: int = 384
    layers: int = 4
    out: int = 192
    epsilon: float = 1e-5

    @property
    def tokens(self) -> int:
        return (self.size // self.patch) ** 2


class Block(nn.Module):
    def __init__(self, s: TowerShape):
        super().__init__()
        self.heads = s.heads
        self.norm1, self.norm2 = nn.LayerNorm(s.width, s.epsilon), nn.LayerNorm(s.width, s.epsilon)
        self.q, self.k = nn.Linear(s.width, s.width), nn.Linear(s.width, s.width)
        self.v, self.out = nn.Linear(s.width, s.width), nn.Linear(s.width, s.width)
        self.up, self.down = nn.Linear(s.width, s.hidden), nn.Linear(s.hidden, s.width)

    def forward(self, x: Tensor) -> Tensor:
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        h = self.norm1(x)
        a = F.scaled_dot_product_attention(split(self.q(h)), split(self.k(h)), split(self.v(h)))
        x = x + self.out(a.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Tower(nn.Module):
    def __init__(self, shape: TowerShape = TowerShape()):
        super().__init__()
        self.shape = shape
        self.patch = nn.Linear(3 * shape.patch**2, shape.width)
        self.position = nn.Parameter(torch.randn(shape.tokens, shape.width) * 0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width, shape.epsilon)
        self.project0 = nn.Linear(shape.width, shape.out)
        self.project2 = nn.Linear(shape.out, shape.out)

    def features(self, pixels: Tensor) -> Tensor:
        """(images, 3, size, size) in −1 … 1 to (images, tokens, width)."""
        patches = F.unfold(pixels, self.shape.patch, stride=self.shape.patch).transpose(1, 2)
        x = self.patch(patches) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project2(F.gelu(self.project0(self.features(pixels)), approximate="tanh"))


def pixels(pictures: list[np.ndarray]) -> Tensor:
    """Bytes (size, size, 3) to what the tower reads."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
