"""A LLaVA-1.5 style tower: a vision transformer over patches and an MLP projector into the language model.

llama.cpp's `mlp` projector loads it; every patch becomes one token of the language model.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pictures import SIZE

LOCAL = 3  # so many blocks are convolutions of 3 × 3 patches: each of their heads looks at one neighbour
AROUND = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]


@dataclass(frozen=True)
class TowerShape:
    size: int = SIZE
    patch: int = 8
    width: int = 128
    heads: int = 8
    hidden: int = 384
    layers: int = 5
    out: int = 192
    epsilon: float = 1e-5

    @property
    def side(self) -> int:
        return self.size // self.patch

    @property
    def tokens(self) -> int:
        return self.side**2


class Block(nn.Module):
    def __init__(self, s: TowerShape):
        super().__init__()
        self.heads = s.heads
        self.norm1, self.norm2 = nn.LayerNorm(s.width, s.epsilon), nn.LayerNorm(s.width, s.epsilon)
        self.q, self.k = nn.Linear(s.width, s.width), nn.Linear(s.width, s.width)
        self.v, self.out = nn.Linear(s.width, s.width), nn.Linear(s.width, s.width)
        self.up, self.down = nn.Linear(s.width, s.hidden), nn.Linear(s.hidden, s.width)

    def forward(self, x: Tensor, around: Tensor | None = None) -> Tensor:
        """`around`: which patch each head looks at from every patch, (tokens, heads), instead of computing it."""
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        h = self.norm1(x)
        if around is None:
            a = F.scaled_dot_product_attention(split(self.q(h)), split(self.k(h)), split(self.v(h)))
            a = a.transpose(1, 2)
        else:
            a = self.v(h).unflatten(-1, (self.heads, -1))[:, around, torch.arange(self.heads)]
        x = x + self.out(a.flatten(2))
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

    def stages(self, pixels: Tensor, around: Tensor | None = None) -> list[Tensor]:
        """The stream (images, tokens, width) before the first block and behind every block.

        With `around`, of the local blocks only, which then need not compute where to look.
        """
        x = self.patch(F.unfold(pixels, self.shape.patch, stride=self.shape.patch).transpose(1, 2)) + self.position
        out = [x]
        for block in self.blocks if around is None else self.blocks[:LOCAL]:
            out.append(block(out[-1], around))
        return out

    def project(self, stream: Tensor) -> Tensor:
        return self.project2(F.gelu(self.project0(self.norm(stream)), approximate="tanh"))

    def forward(self, pixels: Tensor) -> Tensor:
        """(images, 3, size, size) in −1 … 1 to (images, tokens, out)."""
        return self.project(self.stages(pixels)[-1])


def neighbours(shape: TowerShape) -> Tensor:
    """The patch that each head of a local block looks at from every patch, (tokens, heads); at edges the nearest one."""
    rows, columns = torch.arange(shape.side).repeat_interleave(shape.side), torch.arange(shape.side).repeat(shape.side)
    inside = lambda at: at.clamp(0, shape.side - 1)  # noqa: E731
    return torch.stack([inside(rows + dy) * shape.side + inside(columns + dx) for dx, dy in AROUND], -1)


@torch.no_grad()
def look_around(tower: Tower, sharp: float = 12.0, loud: float = 3.0) -> list[Tensor]:
    """Makes the first blocks convolutions: each head looks at one of the eight neighbours of a patch.

    A transformer finds out slowly on its own that what belongs together is close together. The last entries of a token
    hold waves of its column and its row; queries are keys turned by the wanted step. Gives the weights that this sets,
    which are not to be trained.
    """
    s = tower.shape
    head = s.width // s.heads
    waves = math.pi / s.side * (1 + torch.arange(head // 4))  # none of them repeats inside the grid
    angles = torch.arange(s.side)[:, None] * waves
    line = loud * torch.stack((angles.cos(), angles.sin()), -1).flatten(1)  # (side, head / 2)
    tower.position.zero_()
    tower.position[:, -head:] = torch.cat((line.repeat(s.side, 1), line.repeat_interleave(s.side, 0)), 1)
    fixed = []
    for block in tower.blocks[:LOCAL]:
        for linear in (block.q, block.k):
            linear.weight.zero_()
            linear.bias.zero_()
            fixed += [linear.weight, linear.bias]
        for h, step in enumerate(AROUND):
            own = slice(h * head, (h + 1) * head)
            block.k.weight[own, -head:] = sharp**0.5 * torch.eye(head)
            block.q.weight[own, -head:] = sharp**0.5 * torch.block_diag(*(_turned(a * d) for d in step for a in waves.tolist()))
    for block in tower.blocks:
        for linear in (block.out, block.down):
            linear.weight.mul_(0.5)
            linear.bias.zero_()
    keep_places(tower)
    return fixed


@torch.no_grad()
def keep_places(tower: Tower) -> None:
    """Nothing but its position is written into the entries that say where a patch is, as long as local blocks read them."""
    head = tower.shape.width // tower.shape.heads
    writers = [tower.patch, *(w for block in tower.blocks[: LOCAL - 1] for w in (block.out, block.down))]
    for linear in writers:
        linear.weight[-head:] = 0
        linear.bias[-head:] = 0


def _turned(angle: float) -> Tensor:
    return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def pixels(pictures: list[np.ndarray]) -> Tensor:
    """Bytes (size, size, 3) to what the tower reads."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
