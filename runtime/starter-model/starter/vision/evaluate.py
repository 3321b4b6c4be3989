"""How well the tower and the language model describe new pictures, for the shipped files."""

from collections import defaultdict
from random import Random
from statistics import mean

from ..chat import prompt
from ..model import Starter
from ..tokenizer import Tokenizer
from .lesson import MARK, answer
from .scenes import DESCRIBE, NEW_DESCRIPTIONS, Scene, picture, scene
from .tower import Tower

KIND_NAMES = {
    "plain": "plain", "single": "one shape", "place": "one shape at a place", "count": "two to five alike",
    "beside": "two different shapes", "odd": "no such picture (noise, gradients, clutter)",
}
SHAPED = [kind for kind in KIND_NAMES if kind not in ("plain", "odd")]
PICTURES = 50  # per kind and column
GATE = {False: 0.9, True: 0.8}  # least share of captions that must be exact, for seen and for held-out combinations


def _share(results: list[bool]) -> str:
    return f"{sum(results)}/{len(results)} ({100 * mean(results):.0f} %)" if results else "-"


class Looker:
    def __init__(self, model: Starter, tower: Tower, tokenizer: Tokenizer):
        self.model, self.tower, self.tokenizer = model, tower, tokenizer

    def ask(self, rng: Random, what: Scene, question: str) -> str:
        text = prompt([("user", MARK + question)])
        return answer(self.model, self.tower, self.tokenizer, text, [picture(rng, what)])


def parts_right(what: Scene, said: str) -> dict[str, bool]:
    """Which facts of the caption the answer names, wherever it names them."""
    if what.kind in ("plain", "odd"):
        return {}
    words = said.lower().replace(".", "").split()
    first = what.items[0]
    right = {"colour of the first shape": first.colour in words[:4],
             "shape": any(w.startswith(first.shape) for w in words),
             "background": what.background in words[-2:]}
    if what.kind == "count":
        right["count"] = bool(words) and words[0] == what.caption.lower().split()[0]
    if what.place is not None:
        right["place"] = f"at the {what.place} of" in said
    if what.relation is not None:
        right["relation"] = what.relation in said
    return right


def report(model: Starter, tower: Tower, tokenizer: Tokenizer) -> str:
    """The part of EVALUATION.md about pictures."""
    looker, rng = Looker(model, tower, tokenizer), Random(2024)
    seen, new = defaultdict(list), defaultdict(list)
    facts = {"seen": defaultdict(list), "new": defaultdict(list)}
    for kind in KIND_NAMES:
        for held_out, table, column in ((False, seen, "seen"), (True, new, "new")):
            if held_out and kind not in SHAPED:
                continue
            for _ in range(PICTURES):
                what = scene(rng, held_out, kind)
                said = looker.ask(rng, what, DESCRIBE)
                table[kind].append(said == what.caption)
                for fact, ok in parts_right(what, said).items():
                    facts[column][fact].append(ok)
    narrow, phrased = [], []
    for _ in range(3 * PICTURES):
        what = scene(rng)
        questions = what.questions()
        if questions:
            question, right = rng.choice(questions)
            narrow.append(looker.ask(rng, what, question) == right)
        phrased.append(looker.ask(rng, what, rng.choice(NEW_DESCRIPTIONS)) == what.caption)
    lines = ["| picture | seen combinations | held-out combinations |", "|---|---|---|"]
    lines += [f"| {name} | {_share(seen[kind])} | {_share(new[kind])} |" for kind, name in KIND_NAMES.items()]
    every = [[ok for kind in SHAPED for ok in table[kind]] for table in (seen, new)]
    lines.append(f"| all with shapes | {_share(every[0])} | {_share(every[1])} |")
    lines += ["", "Single facts in these answers:", "", "| fact | seen combinations | held-out combinations |", "|---|---|---|"]
    lines += [f"| {fact} | {_share(facts['seen'][fact])} | {_share(facts['new'][fact])} |" for fact in facts["seen"]]
    lines += ["", "| question | right |", "|---|---|",
              f"| narrow ones (colour, shape, number, place, background) | {_share(narrow)} |",
              f"| to describe, in phrasings never trained on | {_share(phrased)} |", ""]
    return "\n".join([
        "## Pictures", "",
        f"{sum(p.numel() for p in tower.parameters()):,} parameters in `starter-mmproj.gguf`, rounded. Every picture is drawn anew; "
        "*held-out* combinations of shape and colour are in no training picture. Right means exactly the expected sentence for "
        f'"{DESCRIBE}", greedily.', "", *lines])


def gate(model: Starter, tower: Tower, tokenizer: Tokenizer) -> int:
    """0 if enough captions of new pictures with shapes are exactly right, for seen and held-out combinations."""
    looker, failed = Looker(model, tower, tokenizer), False
    for held_out, least in GATE.items():
        rng, results = Random(7), []
        for kind in SHAPED * 20:
            what = scene(rng, held_out, kind)
            results.append(looker.ask(rng, what, DESCRIBE) == what.caption)
        good = mean(results) >= least
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} captions of {'held-out' if held_out else 'seen'} combinations: "
              f"{_share(results)} of at least {100 * least:.0f} %")
    return 1 if failed else 0
