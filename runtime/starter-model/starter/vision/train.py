"""Trains the tower in two lessons; in the second one the language model learns along and repeats its texts."""

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from ..batches import Packer
from ..model import Starter, save
from ..tokenizer import Tokenizer
from ..train import Muon
from ..train import loss as text_loss
from .drill import Heads, drill_loss
from .lesson import lesson_loss
from .tower import Tower


@dataclass(frozen=True)
class TowerPlan:
    drill_minutes: float = 8
    minutes: float = 30
    drill_batch: int = 64
    lesson_batch: int = 24
    text_rows: int = 8  # of 160 tokens, for every batch of pictures
    hidden_rate: float = 0.01
    other_rate: float = 2e-3
    model_share: float = 0.25  # the language model's rates, relative to the tower's
    peak: float = 1.0  # share of the rates; less than one to continue
    warm_up: int = 20
    constant: float = 0.4
    seed: int = 1


class Learner:
    """Muon for the hidden matrices of a module and AdamW for the rest, at a share of the rates."""

    def __init__(self, module: torch.nn.Module, hidden: list[str], plan: TowerPlan, share: float):
        is_hidden = lambda name, p: p.dim() == 2 and any(part in name for part in hidden)  # noqa: E731
        self.hidden = [p for n, p in module.named_parameters() if is_hidden(n, p)]
        self.others = [p for n, p in module.named_parameters() if not is_hidden(n, p)]
        self.muon = Muon(self.hidden)
        self.adam = torch.optim.AdamW(self.others, lr=plan.other_rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.plan, self.share = plan, share

    def reset(self) -> None:
        for p in [*self.hidden, *self.others]:
            p.grad = None

    def update(self, rate: float, step: int) -> None:
        for p in [*self.hidden, *self.others]:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = self.plan.other_rate * rate * self.share
        self.adam.step()
        self.muon.step(self.plan.hidden_rate * rate * self.share, min(0.95, 0.85 + step / 3000))


def drill(tower: Tower, plan: TowerPlan) -> None:
    """The first lesson, of the tower alone."""
    rng, heads = Random(plan.seed), Heads(tower.shape)
    learners = [Learner(tower, ["blocks"], plan, 1.0), Learner(heads, [], plan, 1.0)]
    run("drill", learners, plan, plan.drill_minutes, lambda: drill_loss(tower, heads, rng, plan.drill_batch))


def learn(model: Starter, tower: Tower, tokenizer: Tokenizer, plan: TowerPlan, out: Path) -> None:
    """The second lesson, with a checkpoint of both in `out` every two minutes."""
    rng, packer = Random(plan.seed + 1), Packer(tokenizer, plan.seed + 2, late=True)
    heads = Heads(tower.shape)
    learners = [Learner(tower, ["blocks"], plan, plan.peak), Learner(heads, [], plan, 1.0),
                Learner(model, ["layers"], plan, plan.peak * plan.model_share)]

    def everything() -> torch.Tensor:
        texts, _ = text_loss(model, packer.batch(plan.text_rows, 160, 0.05))
        # Labels go on to tell the tower what it sees: the language model alone is a slow teacher of shapes.
        drilled = drill_loss(tower, heads, rng, plan.lesson_batch)
        return lesson_loss(model, tower, tokenizer, rng, plan.lesson_batch) + texts + 0.5 * drilled

    run("lesson", learners, plan, plan.minutes, everything, lambda: save_both(model, tower, out))


def run(name: str, learners: list[Learner], plan: TowerPlan, minutes: float, loss_of, keep=lambda: None) -> None:
    """Steps by the clock: warm-up, constant rate, linear decay."""
    begin = saved = time.time()
    step, smooth = 0, None
    while (done := (time.time() - begin) / 60 / minutes) < 1:
        rate = min(1, (step + 1) / plan.warm_up) * min(1, (1 - done) / (1 - plan.constant))
        loss = loss_of()
        for learner in learners:
            learner.reset()
        loss.backward()
        for learner in learners:
            learner.update(rate, step)
        step += 1
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        if step in (5, 20) or step % 50 == 0:
            print(f"{done * minutes:6.2f} min  {name} step {step}  rate {rate:.3f}  loss {smooth:.4f}", flush=True)
        if time.time() - saved > 120:
            keep()
            saved = time.time()
    keep()


def save_both(model: Starter, tower: Tower, out: Path) -> None:
    save(model, out)
    partial = out.with_suffix(".tower.partial")
    torch.save(tower.state_dict(), partial)
    partial.replace(out.with_suffix(".tower.pt"))


def load_tower(path: Path) -> Tower:
    tower = Tower()
    tower.load_state_dict(torch.load(path, map_location="cpu"))
    return tower.eval()
