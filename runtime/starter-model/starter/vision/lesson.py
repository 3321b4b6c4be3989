"""The second lesson: the language model has to give the right answer after an image's tokens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from ..batches import Batch
from ..chat import DEFAULT_SYSTEM, IM_END, pick_system, prompt
from ..model import Starter
from ..tokenizer import Tokenizer
from ..train import HALF
from .pictures import COLOURS, SHAPES
from .scenes import DESCRIBE, DESCRIPTIONS, Scene, scene
from .tower import Tower, pixels

MARK = "<image>"  # where a picture stands in a prompt; the same text as in programs
Look = Callable[[list[Scene]], list[Tensor]]  # the tokens of pictures of these scenes, each (tokens, width)


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


def foreign(rng: Random, what: Scene, words: list[str]) -> Scene:
    """The scene with other words for most of its colours and shapes: "a river heart on a window background".

    Only who really reads the tokens can say that. Without it the language model learns which colours a shape may have.
    """
    swap = {w: rng.choice(words) if rng.random() < 0.7 else w for w in [*COLOURS, *SHAPES]}
    items = [replace(i, shape=swap[i.shape], colour=swap[i.colour]) for i in what.items]
    return what if what.kind == "odd" else replace(what, background=swap[what.background], items=items)


def example(rng: Random, tokenizer: Tokenizer, what: Scene) -> Example:
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


def lesson_loss(model: Starter, tokenizer: Tokenizer, rng: Random, scenes: list[Scene], look: Look) -> Tensor:
    examples = [example(rng, tokenizer, what) for what in scenes]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=HALF):
        rows = [embed(model, e, [seen]) for e, seen in zip(examples, look(scenes))]
        length = max(len(r) for r in rows)
        hidden = features(model, torch.stack([F.pad(r, (0, 0, 0, length - len(r))) for r in rows]))
        picked = torch.cat([hidden[i, len(r) - len(e.answer) - 1 : len(r) - 1] for i, (r, e) in enumerate(zip(rows, examples))])
        logits = model.logits(picked)
    return F.cross_entropy(logits.float(), torch.tensor([t for e in examples for t in e.answer]))


def repeat_loss(model: Starter, teacher: Starter, batch: Batch) -> Tensor:
    """How far the model has moved away from what its teacher, as it was before, says about texts."""
    weights = batch.weights.flatten()
    chosen = (weights >= 0.99) | (torch.rand(weights.shape) < weights)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=HALF):
        with torch.no_grad():
            before = teacher.logits(teacher.features(batch.inputs, batch.mask).flatten(0, 1)[chosen])
        now = model.logits(model.features(batch.inputs, batch.mask).flatten(0, 1)[chosen])
    return F.kl_div(now.float().log_softmax(-1), before.float().log_softmax(-1), reduction="batchmean", log_target=True)


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
