"""Trains the tower, and teaches the language model to read its tokens while it repeats what it knows about texts."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from ..batches import Packer
from ..model import Starter, save
from ..tokenizer import Tokenizer
from ..train import Muon
from .drill import Heads, lesson
from .lesson import Look, foreign, lesson_loss, repeat_loss
from .pictures import COLOURS, SHAPES
from .scenes import Scene, picture, scene
from .slots import Codes, answers
from .tower import Tower, keep_places, look_around, neighbours, pixels


@dataclass(frozen=True)
class TowerPlan:
    """How long, how much and how fast."""

    minutes: float = 60  # for all lessons
    parts: float = 0.2  # share of the time to learn what lies at every patch
    rows: float = 0.4  # the answers of every row
    reading: float = 0.3  # the language model reads coded answers, without a picture
    together: float = 0.1  # the language model reads the tower's own tokens
    batch: int = 32
    reading_batch: int = 16
    text_rows: int = 6  # of 160 tokens, for every batch to read
    strange: float = 0.5  # share of texts whose questions are put in words that the corpus does not use
    pull: float = 0.001  # share of the way back to what it was before that every weight goes at each step
    foreign: float = 0.5  # share of scenes with words that are no colours and shapes
    hidden_rate: float = 0.015
    other_rate: float = 3e-3
    model_rate: float = 6e-4
    warm_up: int = 30
    constant: float = 0.4
    seed: int = 1


Step = Callable[[float, int], Tensor]  # from a share of the rates and the number of the step to the loss


def run(name: str, minutes: float, plan: TowerPlan, step_of: Step, keep: Callable[[], None]) -> None:
    """Steps by the clock: warm-up, constant rate, linear decay; `keep` saves a checkpoint every two minutes."""
    begin = saved = time.time()
    step, smooth = 0, None
    while (done := (time.time() - begin) / 60 / minutes) < 1:
        rate = min(1, (step + 1) / plan.warm_up) * min(1, (1 - done) / (1 - plan.constant))
        loss = step_of(rate, step).item()
        step += 1
        smooth = loss if smooth is None else 0.97 * smooth + 0.03 * loss
        if step in (5, 20) or step % 50 == 0:
            print(f"{done * minutes:6.2f} min  {name} step {step}  rate {rate:.3f}  loss {smooth:.4f}", flush=True)
        if time.time() - saved > 120:
            keep()
            saved = time.time()
    keep()


def drill(tower: Tower, codes: Codes, plan: TowerPlan, out: Path) -> None:
    """The tower alone: first what lies at every patch, then the answers of every row as well."""
    fixed = {id(w) for w in [*look_around(tower), tower.position]}
    heads, rng, around = Heads(tower.shape), Random(plan.seed), neighbours(tower.shape)
    named = [(n, p) for n, p in tower.named_parameters() if id(p) not in fixed]
    for p in tower.parameters():
        p.requires_grad_(id(p) not in fixed)
    hidden = [p for n, p in named if p.dim() == 2 and "blocks" in n]
    others = [p for n, p in named if not (p.dim() == 2 and "blocks" in n)] + list(heads.parameters())

    def parts() -> Tensor:
        shown = lesson(rng, plan.batch, tower.shape, crowds=0.85)
        return heads.parts_loss(tower.stages(shown.shown, around), shown)

    def parts_and_rows() -> Tensor:
        shown = lesson(rng, plan.batch, tower.shape, crowds=0.25)
        stages = tower.stages(shown.shown)
        return 0.5 * heads.parts_loss(stages, shown) + heads.rows_loss(tower, stages, shown, codes.tables)

    for name, share, loss_of in (("parts", plan.parts, parts), ("rows", plan.rows, parts_and_rows)):
        muon, adam = Muon(hidden), torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01)

        def step_of(rate: float, step: int) -> Tensor:
            loss = loss_of()
            for p in [*hidden, *others]:
                p.grad = torch.zeros_like(p)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            for group in adam.param_groups:
                group["lr"] = plan.other_rate * rate
            adam.step()
            muon.step(plan.hidden_rate * rate, min(0.95, 0.85 + step / 2000))
            keep_places(tower)
            return loss

        run(name, share * plan.minutes, plan, step_of, lambda: save_tower(tower, out))


def read_lesson(name: str, share: float, model: Starter, before: Starter, tokenizer: Tokenizer, plan: TowerPlan,
                scenes_of: Callable[[Random], list[Scene]], look: Look, out: Path) -> None:
    """The language model learns to read tokens. Its embeddings stay, since the tower's tokens are made of them.

    On texts it stays with what it said `before` it could see, and its weights are pulled there: what it knows of
    questions that are in no corpus is in them as well.
    """
    rng, packer = Random(plan.seed + 1), Packer(tokenizer, plan.seed + 2, late=True, strange=plan.strange)
    model.embedding.weight.requires_grad_(False)
    model.norm.weight.requires_grad_(False)
    learned, home = zip(*((p, q) for p, q in zip(model.parameters(), before.parameters()) if p.requires_grad))
    adam = torch.optim.AdamW(learned, betas=(0.9, 0.98), weight_decay=0.0)

    def step_of(rate: float, _: int) -> Tensor:
        loss = lesson_loss(model, tokenizer, rng, scenes_of(rng), look)
        loss = loss + 2 * repeat_loss(model, before, packer.batch(plan.text_rows, 160, 0.05))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        for group in adam.param_groups:
            group["lr"] = plan.model_rate * rate
        adam.step()
        with torch.no_grad():
            torch._foreach_lerp_(learned, home, plan.pull * rate)
        return loss

    run(name, share * plan.minutes, plan, step_of, lambda: save(model, out))


def learn(model: Starter, tower: Tower, tokenizer: Tokenizer, plan: TowerPlan, out: Path) -> None:
    """All lessons, with checkpoints of the language model in `out` and of the tower beside it."""
    codes, before = Codes(model, tokenizer), copy.deepcopy(model).eval()
    rng = Random(plan.seed + 3)
    drill(tower, codes, plan, out)

    def imagine(scenes: list[Scene]) -> list[Tensor]:
        return [codes.tokens(answers(s), rng) for s in scenes]

    scenes_of = mixed_scenes(tokenizer, plan)
    read_lesson("reading", plan.reading, model, before, tokenizer, plan, scenes_of, imagine, out)
    read_lesson("together", plan.together, model, before, tokenizer, plan, scenes_of, looking(tower, codes, rng), out)


def remember(model: Starter, before: Starter, tower: Tower, tokenizer: Tokenizer, plan: TowerPlan, out: Path) -> None:
    """The last lesson alone, for a model that has learned to see at the cost of what it knew `before`."""
    look = looking(tower, Codes(before, tokenizer), Random(plan.seed + 3))
    read_lesson("together", 1, model, before, tokenizer, plan, mixed_scenes(tokenizer, plan), look, out)
    save_tower(tower, out)


def mixed_scenes(tokenizer: Tokenizer, plan: TowerPlan) -> Callable[[Random], list[Scene]]:
    words = [w for w in tokenizer.words() if w not in COLOURS and w not in SHAPES]

    def scenes_of(rng: Random) -> list[Scene]:
        scenes = [scene(rng) for _ in range(plan.reading_batch)]
        return [foreign(rng, s, words) if rng.random() < plan.foreign else s for s in scenes]

    return scenes_of


def looking(tower: Tower, codes: Codes, rng: Random) -> Look:
    """The tower's tokens of scenes that can be drawn, and coded answers for the others."""
    @torch.no_grad()
    def look(scenes: list[Scene]) -> list[Tensor]:
        drawn = [picture(rng, s) for s in scenes if s.drawable]
        seen = iter(tower(pixels(drawn)) if drawn else [])
        return [next(seen) if s.drawable else codes.tokens(answers(s), rng) for s in scenes]

    return look


def tower_path(out: Path) -> Path:
    return out.with_suffix(".tower.pt")


def save_tower(tower: Tower, out: Path) -> None:
    partial = out.with_suffix(".tower.partial")
    torch.save(tower.state_dict(), partial)
    partial.replace(tower_path(out))


def load_tower(path: Path) -> Tower:
    tower = Tower()
    tower.load_state_dict(torch.load(path, map_location="cpu"))
    return tower.eval()
