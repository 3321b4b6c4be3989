"""The evaluation table and the gate that shipped weights have to pass."""

from collections import defaultdict
from random import Random
from statistics import mean

from . import probes
from .corpus import control
from .facts import COUNTRIES
from .model import Starter
from .probes import HELD_OUT, SEEN, one
from .scoring import Scorer
from .tokenizer import Tokenizer
from .tutorial import INTEGRAL, LABELS, STEPS

SAMPLES = 10


def share(results: list[bool]) -> str:
    return f"{sum(results)}/{len(results)} ({100 * mean(results):.0f} %)" if results else "-"


def recall(scorer: Scorer) -> list[str]:
    """Right answers by kind, for seen and held-out questions apart."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: {SEEN: [], HELD_OUT: []})
    for probe in probes.all_probes():
        table[probe.kind][probe.split].append(probe.passes(scorer))
    for split, questions in probes.TOOL_QUESTIONS.items():
        for question, right in questions:
            scores = scorer.choices(f"To answer this question: {question} I need to use a ", ["calculator", "search engine"])
            table["choice of a tool"][split].append(scores[right] > scores[1 - right])
    lines = ["| kind of question | seen | held-out |", "|---|---|---|"]
    lines += [f"| {kind} | {share(row[SEEN])} | {share(row[HELD_OUT])} |" for kind, row in table.items()]
    return lines


def margins(scorer: Scorer) -> list[str]:
    """Technical or creative: how clear the choice is, in nats per token."""
    rows: dict[str, list[float]] = {SEEN: [], HELD_OUT: []}
    for split, question, right in probes.choice_questions(Random(5)):
        scores = scorer.choices(one(question, control.CLASSIFY), LABELS)
        rows[split].append(scores[right] - scores[1 - right])
    lines = ["| questions | right | margin > 1 nat | mean margin | smallest |", "|---|---|---|---|---|"]
    for split, values in rows.items():
        lines.append(f"| {split} | {share([v > 0 for v in values])} | {share([v > 1 for v in values])} "
                     f"| {mean(values):.2f} | {min(values):.2f} |")
    return lines


def temperatures(scorer: Scorer) -> list[str]:
    """Facts that survive sampling, and the tutorial's steps at several temperatures."""
    lines = ["| temperature | capitals of 60 countries | tutorial steps right |", "|---|---|---|"]
    for temperature in (0.0, 0.7, 1.0):
        capitals = [capital in scorer.answer(one(f"What is the capital of {country}?"), temperature, 3, 30)
                    for country, capital, *_ in COUNTRIES[::3]]
        seeds = range(1 if temperature == 0 else SAMPLES)
        steps = [step.right(step.run(scorer, seed, temperature)) for step in STEPS for seed in seeds]
        lines.append(f"| {temperature} | {share(capitals)} | {share(steps)} |")
    return lines


def transcript(scorer: Scorer) -> list[str]:
    """What the tutorial shows: one answer per step, at the temperature of the tutorial."""
    lines = []
    for step in STEPS:
        answer = step.run(scorer, 1).strip().replace("\n", "\n    ")
        lines += [f"**{step.name}** (temperature {step.temperature:g})", "", "    " + answer, ""]
    lines += ["**five forks of the integral** (temperature 0.7)", ""]
    lines += ["    " + scorer.answer(one(INTEGRAL), 0.7, seed) for seed in range(5)]
    return lines


def report(model: Starter, tokenizer: Tokenizer) -> str:
    """The text of EVALUATION.md."""
    scorer = Scorer(model, tokenizer)
    count = sum(p.numel() for p in model.parameters())
    return "\n".join([
        "# Evaluation of the starter model", "",
        "Printed by `python build.py evaluate`; do not edit.", "",
        f"{count:,} parameters, vocabulary {len(tokenizer.vocabulary):,}. All numbers are for the rounded (f16) weights.", "",
        "## Recall and generalisation", "",
        "*Seen*: content and phrasing occur in the corpus. *Held-out*: the phrasing, the name or the combination does not; "
        "the fact itself has to. An answer is right if greedy decoding gives exactly the expected text and ends.", "",
        *recall(scorer), "",
        "## Technical or creative?", "",
        "Difference of the mean log probability per token between the right and the wrong choice. "
        "Held-out questions are about subjects that no question of the corpus is about; single words of them may occur.", "",
        *margins(scorer), "",
        "## Sampling", "",
        *temperatures(scorer), "",
        "## The tutorial", "",
        *transcript(scorer), "",
    ])


def gate(model: Starter, tokenizer: Tokenizer) -> int:
    """0 if the tutorial is right at its own temperatures: every greedy step, and nearly all sampled ones."""
    scorer = Scorer(model, tokenizer)
    failed = False
    for step in STEPS:
        seeds = [0] if step.temperature == 0 else range(SAMPLES)
        results = [step.right(step.run(scorer, seed)) for seed in seeds]
        greedy = step.right(step.run(scorer, 0, 0.0))
        good = greedy and sum(results) >= 0.8 * len(results)
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} {step.name}: greedy {'right' if greedy else 'WRONG'}, "
              f"{sum(results)} of {len(results)} at temperature {step.temperature:g}")
    forks = {scorer.answer(one(INTEGRAL), 0.7, seed) for seed in range(5)}
    print(f"{'ok  ' if len(forks) > 1 else 'FAIL'} forks of the integral: {len(forks)} different answers of 5")
    failed |= len(forks) < 2
    return 1 if failed else 0
