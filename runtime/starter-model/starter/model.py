"""The network: a llama decoder with grouped-query attention, small enough to train on a CPU.

Rotary pairs are interleaved, which is the layout that llama.cpp expects for the llama architecture, so
the exporter copies every matrix as it is.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .tokenizer import END_ID, STOP_ID


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    hidden: int = 512
    context: int = 1024
    theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.width // self.heads


class Norm(nn.Module):
    """Root-mean-square normalisation."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.epsilon)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Causal attention. Written out where a mask separates documents: that trains faster on a CPU."""
    if mask is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1)
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    return scores.masked_fill(~mask, -1e9).softmax(-1).to(v.dtype) @ v


class Layer(nn.Module):
    """Attention and gated feed-forward, each behind a norm and added to the stream."""

    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.norm1, self.norm2 = Norm(s.width, s.epsilon), Norm(s.width, s.epsilon)
        self.q = nn.Linear(s.width, s.heads * s.head, bias=False)
        self.k = nn.Linear(s.width, s.kv_heads * s.head, bias=False)
        self.v = nn.Linear(s.width, s.kv_heads * s.head, bias=False)
        self.out = nn.Linear(s.width, s.width, bias=False)
        self.gate = nn.Linear(s.width, s.hidden, bias=False)
        self.up = nn.Linear(s.width, s.hidden, bias=False)
        self.down = nn.Linear(s.hidden, s.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: list | None) -> Tensor:
        s, (rows, length, _) = self.s, x.shape
        h = self.norm1(x)
        q = rotate(self.q(h).view(rows, length, s.heads, s.head).transpose(1, 2), cos, sin)
        k = rotate(self.k(h).view(rows, length, s.kv_heads, s.head).transpose(1, 2), cos, sin)
        v = self.v(h).view(rows, length, s.kv_heads, s.head).transpose(1, 2)
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
            cache[:] = [k, v]
        group = s.heads // s.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        a = attend(q, k, v, mask)
        x = x + self.out(a.transpose(1, 2).reshape(rows, length, s.width))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Starter(nn.Module):
    """The language model; input and output embeddings are the same matrix."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.epsilon)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = 0.5 / math.sqrt(shape.layers) if name.endswith(("out.weight", "down.weight")) else 0.7
                nn.init.normal_(p, 0, 0.02 if "embedding" in name else scale * p.shape[1] ** -0.5)
        angles = torch.outer(torch.arange(shape.context).float(),
                             1.0 / shape.theta ** (torch.arange(0, shape.head, 2).float() / shape.head))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def features(self, ids: Tensor, mask: Tensor | None = None, start: int = 0, caches: list | None = None) -> Tensor:
        x = self.embedding(ids)
        cos, sin = self.cos[start:start + ids.shape[1]], self.sin[start:start + ids.shape[1]]
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, caches[i] if caches is not None else None)
        return self.norm(x)

    def logits(self, features: Tensor) -> Tensor:
        return F.linear(features, self.embedding.weight)

    @torch.no_grad()
    def log_probabilities(self, ids: list[int]) -> Tensor:
        """For every token but the first, the log probability given the tokens before it."""
        table = self.logits(self.features(torch.tensor([ids[:-1]])))[0].log_softmax(-1)
        return table[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]

    @torch.no_grad()
    def generate(self, ids: list[int], limit: int, temperature: float = 0.0, seed: int = 0) -> list[int]:
        """Continues `ids` until an end token; `limit` counts new tokens."""
        random = torch.Generator().manual_seed(seed)
        caches: list = [[] for _ in self.layers]
        feed, start, out = torch.tensor([ids]), 0, []
        while len(out) < limit and start + feed.shape[1] <= self.shape.context:
            row = self.logits(self.features(feed, start=start, caches=caches)[:, -1])[0]
            start += feed.shape[1]
            if temperature > 0:
                token = int(torch.multinomial((row / temperature).softmax(-1), 1, generator=random))
            else:
                token = int(row.argmax())
            if token in (END_ID, STOP_ID):
                break
            out.append(token)
            feed = torch.tensor([[token]])
        return out


def save(model: Starter, path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save({"shape": asdict(model.shape), "weights": model.state_dict()}, partial)
    partial.replace(path)


def average(first: Starter, second: Starter, share: float) -> Starter:
    """The weighted mean of two models of one run; `share` is the weight of the second."""
    other = second.state_dict()
    mixed = Starter(first.shape)
    mixed.load_state_dict({k: (1 - share) * v + share * other[k] for k, v in first.state_dict().items()})
    return mixed.eval()


def load(path: Path) -> Starter:
    data = torch.load(path, map_location="cpu")
    model = Starter(Shape(**data["shape"]))
    model.load_state_dict(data["weights"])
    return model.eval()
