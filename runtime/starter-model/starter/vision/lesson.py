"""The second lesson: the language model has to give the right answer after the tower's tokens."""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from ..chat import DEFAULT_SYSTEM, IM_END, pick_system, prompt
from ..model import Starter
from ..tokenizer import Tokenizer
from .scenes import DESCRIBE, DESCRIPTIONS, Scene, picture, scene
from .tower import Tower, pixels

MARK = "<image>"  # where a picture stands in a prompt; the same text as in programs


@dataclass(frozen=True)
class Example:
    """A prompt cut at its pictures, the pictures' scenes, and the answer."""

    parts: list[list[int]]
    scenes: list[Scene]
    answer: list[int]


def placed(rng: Random, question: str) -> str:
    """The picture stands before the question, sometimes on a line of its own, now and then behind it."""
    roll = rng.random()
    return MARK + question if roll < 0.75 else f"{MARK}\n{question}" if roll < 0.92 else f"{question}\n{MARK}"


def example(rng: Random, tokenizer: Tokenizer) -> Example:
    what = scene(rng)
    narrow = what.questions()
    if narrow and rng.random() < 0.2:
        question, answer = rng.choice(narrow)
    else:
        question, answer = DESCRIBE if rng.random() < 0.5 else rng.choice(DESCRIPTIONS), what.caption
    system = DEFAULT_SYSTEM if rng.random() < 0.5 else pick_system(rng)
    parts = prompt([("user", placed(rng, question))], system=system).split(MARK)
    return Example([tokenizer.segment(p) for p in parts], [what], tokenizer.segment(answer + IM_END))


def embed(model: Starter, example: Example, images: list[Tensor]) -> Tensor:
    """Text and pictures of one prompt and its answer as rows of the language model's input."""
    rows = []
    for i, part in enumerate(example.parts):
        rows.append(model.embedding(torch.tensor(part, dtype=torch.long)))
        if i < len(images):
            rows.append(images[i].to(rows[0].dtype))
    rows.append(model.embedding(torch.tensor(example.answer, dtype=torch.long)))
    return torch.cat(rows)


def features(model: Starter, rows: Tensor, start: int = 0, caches: list | None = None) -> Tensor:
    """What `Starter.features` does, from input rows instead of token ids."""
    cos, sin = model.cos[start : start + rows.shape[1]], model.sin[start : start + rows.shape[1]]
    for i, layer in enumerate(model.layers):
        rows = layer(rows, cos, sin, None, caches[i] if caches is not None else None)
    return model.norm(rows)


def lesson_loss(model: Starter, tower: Tower, tokenizer: Tokenizer, rng: Random, count: int) -> Tensor:
    examples = [example(rng, tokenizer) for _ in range(count)]
    shown = pixels([picture(rng, s) for e in examples for s in e.scenes])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = tower(shown).float()
        rows = [embed(model, e, [seen[i]]) for i, e in enumerate(examples)]
        length = max(len(r) for r in rows)
        hidden = features(model, torch.stack([F.pad(r, (0, 0, 0, length - len(r))) for r in rows]))
        picked = torch.cat([hidden[i, len(r) - len(e.answer) - 1 : len(r) - 1] for i, (r, e) in enumerate(zip(rows, examples))])
        logits = model.logits(picked)
    return F.cross_entropy(logits.float(), torch.tensor([t for e in examples for t in e.answer]))


@torch.no_grad()
def answer(model: Starter, tower: Tower, tokenizer: Tokenizer, text: str, images: list, limit: int = 48) -> str:
    """Greedy answer to a prompt with `<image>` marks."""
    parts = [tokenizer.encode(p) for p in text.split(MARK)]
    rows = embed(model, Example(parts, [], []), list(tower(pixels(images))))
    stop = tokenizer.encode(IM_END)[0]
    caches: list[list] = [[] for _ in model.layers]
    start, out = 0, []
    while len(out) < limit:
        token = int(model.logits(features(model, rows[None], start, caches)[:, -1])[0].argmax())
        if token == stop:
            break
        start += len(rows)
        rows = model.embedding(torch.tensor([token]))
        out.append(token)
    return tokenizer.decode(out)
