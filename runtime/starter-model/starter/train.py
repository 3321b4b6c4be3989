"""A training schedule: warm-up, constant rate, linear decay to zero; and a short continuation.

Hidden matrices are updated by Muon (orthogonalised momentum), everything else by AdamW.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from .batches import Batch, Packer
from .model import Shape, Starter, save
from .tokenizer import Tokenizer


# Half precision pays where the processor has instructions for it; elsewhere it is emulated.
HALF = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@dataclass(frozen=True)
class Plan:
    """`tokens` sets the length of the schedule; `minutes` shortens it on a slow machine."""

    tokens: int = 30_000_000
    minutes: float = float("inf")
    batch_tokens: int = 6144
    hidden_rate: float = 0.02
    other_rate: float = 4e-3
    peak: float = 1.0  # share of the rates; less than one to continue a trained model
    late: bool = False  # draw from the mixture of the continuation
    warm_up: int = 60
    constant: float = 0.3
    seed: int = 1
    threads: int = 2


class Muon:
    """Momentum whose direction is replaced by the nearest orthogonal matrix (Newton-Schulz iteration)."""

    def __init__(self, parameters: list[Tensor], decay: float = 0.01):
        self.decay = decay
        self.groups: dict[tuple[int, int], list[Tensor]] = {}
        for p in parameters:
            self.groups.setdefault((p.shape[0], p.shape[1]), []).append(p)
        self.momentum = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}

    @staticmethod
    def orthogonalise(g: Tensor) -> Tensor:
        """Works on a stack of equally shaped matrices."""
        x = g.bfloat16() if HALF else g
        tall = x.shape[1] > x.shape[2]
        if tall:
            x = x.transpose(1, 2)
        x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
        for _ in range(5):
            a = x @ x.transpose(1, 2)
            x = 3.4445 * x + torch.baddbmm(a, a, a, beta=-4.775, alpha=2.0315) @ x
        return (x.transpose(1, 2) if tall else x).float()

    @torch.no_grad()
    def step(self, rate: float, beta: float) -> None:
        for shape, parameters in self.groups.items():
            gradient = torch.stack([p.grad for p in parameters])
            m = self.momentum[shape].mul_(beta).add_(gradient)
            update = self.orthogonalise(gradient.add_(m, alpha=beta))
            scale = -rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(parameters, update):
                p.mul_(1 - rate * self.decay).add_(u, alpha=scale)


def loss(model: Starter, batch: Batch) -> tuple[Tensor, float]:
    """Weighted cross entropy and the mean over answer tokens. Prompt tokens are sampled by their weight."""
    w = batch.weights.flatten()
    chosen = (w >= 0.99) | (torch.rand(w.shape) < w)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=HALF):
        features = model.features(batch.inputs, batch.mask).flatten(0, 1)[chosen]
        logits = model.logits(features)
    each = F.cross_entropy(logits.float(), batch.targets.flatten()[chosen], reduction="none")
    return each.mean(), float(each.detach()[w[chosen] >= 0.99].mean())


def next_batch(packer: Packer, step: int, tokens: int) -> Batch:
    """Mostly short rows of separate documents, now and then long conversations."""
    if step % 24 == 23:
        return packer.batch(max(1, tokens // 1024), 1024, 0.9)
    if step % 6 == 5:
        return packer.batch(tokens // 384, 384, 0.6)
    return packer.batch(tokens // 160, 160, 0.05)


def train(tokenizer: Tokenizer, plan: Plan, out: Path, model: Starter | None = None) -> Starter:
    """Trains from scratch, or continues `model`, and leaves a checkpoint in `out` every few minutes."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    model = (model or Starter(Shape(len(tokenizer.vocabulary)))).train()
    packer = Packer(tokenizer, plan.seed, late=plan.late)
    hidden = [p for n, p in model.named_parameters() if p.dim() == 2 and "embedding" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() < 2 or "embedding" in n]
    muon = Muon(hidden)
    adam = torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    begin = saved = time.time()
    step = seen = 0
    smooth = None
    while True:
        elapsed = time.time() - begin
        done = max(seen / plan.tokens, elapsed / 60 / plan.minutes)
        if done >= 1:
            break
        rate = plan.peak * min(1.0, (step + 1) / plan.warm_up) * min(1.0, (1 - done) / (1 - plan.constant))
        batch = next_batch(packer, step, plan.batch_tokens)
        total, answers = loss(model, batch)
        adam.zero_grad()
        for p in hidden:
            p.grad = None
        total.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for group in adam.param_groups:
            group["lr"] = plan.other_rate * rate
        adam.step()
        muon.step(plan.hidden_rate * rate, min(0.95, 0.85 + step / 3000))
        seen += batch.tokens
        step += 1
        smooth = answers if smooth is None else 0.97 * smooth + 0.03 * answers
        if step in (5, 20) or step % 50 == 0:
            speed = seen / (time.time() - begin)
            print(f"{elapsed / 60:6.2f} min  step {step}  {seen / 1e6:.2f} M tokens  {speed:.0f}/s  rate {rate:.3f}  "
                  f"loss {total.item():.4f}  answers {smooth:.4f}", flush=True)
        if time.time() - saved > 180:
            save(model, out)
            saved = time.time()
    save(model, out)
    print(f"trained on {seen:,} tokens in {(time.time() - begin) / 60:.1f} minutes", flush=True)
    return model
