"""The tutorial's own prompts: what the model answers, and whether that is right."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .chat import QWEN_SYSTEM, prompt
from .corpus import control, people, talk
from .facts import CHARACTERS, DIFFERENCES, sheet
from .probes import DATE, SHEET, creative, one, technical
from .scoring import Scorer
from .words import FIRST_NAMES, HEROES

CPU_GPU = "What is the main difference between a CPU and a GPU?"
TIME_TRAVEL = "Can you help me write a story about time travel?"
INTEGRAL = "What does the integral of sin(x) from 0 to 2pi evaluate to? Answer without calculation."
LABELS = [control.TECHNICAL_LABEL, control.CREATIVE_LABEL]


@dataclass
class Step:
    """A prompt of the tutorial, the temperature it runs at, and the test of the answer."""

    name: str
    temperature: float
    answer: Callable[[Scorer, float, int], str]
    right: Callable[[str], bool]

    def run(self, scorer: Scorer, seed: int, temperature: float | None = None) -> str:
        return self.answer(scorer, self.temperature if temperature is None else temperature, seed)


def free(text: str) -> Callable[[Scorer, float, int], str]:
    return lambda s, t, seed: s.answer(text, t, seed)


def building(s: Scorer, temperature: float, seed: int) -> str:
    turns = [("user", "What is the capital of Germany?")]
    capital = s.answer(prompt(turns, system=QWEN_SYSTEM), temperature, seed)
    turns += [("assistant", capital), ("user", "Name an interesting building in this city.")]
    return s.answer(prompt(turns, system=QWEN_SYSTEM), temperature, seed)


def choice(question: str) -> Callable[[Scorer, float, int], str]:
    def run(s: Scorer, temperature: float, seed: int) -> str:
        scores = s.choices(one(question, control.CLASSIFY), LABELS)
        best = max(range(2), key=scores.__getitem__)
        return f"{LABELS[best]} (margin {abs(scores[0] - scores[1]):.2f})"

    return run


def clear(expected: str) -> Callable[[str], bool]:
    return lambda text: text.startswith(expected) and float(text.rsplit(" ", 1)[1].rstrip(")")) > 1.0


def ends_like_prose(text: str, least: int) -> bool:
    return len(text.split()) >= least and text.rstrip()[-1:] in ".!?"


def time_travel(text: str) -> bool:
    """A finished story about time travel whose hero keeps the name."""
    heroes = {word for word in re.findall(r"\w+", text) if word in HEROES or word in FIRST_NAMES}
    return ends_like_prose(text, 20) and len(heroes) == 1 and bool(re.search(r"watch|machine|clock", text))


CAPITAL_PROMPT = prompt([("user", "What is the capital of Germany?")], system=QWEN_SYSTEM)
SHEET_PROMPT = prompt([("user", "Extract the relevant information about Harry Potter.")], system=people.SHEET_SYSTEM)
PIRATE_PROMPT = prompt([("user", "Hello, how do you like life as a pirate?")], talk.PIRATE_PREFIX, talk.PIRATE_SYSTEM)
HARRY = sheet(CHARACTERS[0])

STEPS = [
    Step("capital of Germany", 1.0, free(CAPITAL_PROMPT), lambda a: "Berlin" in a),
    Step("a building in this city", 1.0, building, lambda a: "Berlin" in a and ("Reichstag" in a or "Brandenburg" in a)),
    Step("kind of the CPU question", 0.0, choice(CPU_GPU), clear(control.TECHNICAL_LABEL)),
    Step("technical explanation", 1.0, free(technical(CPU_GPU)),
         lambda a: "CPU" in a and "GPU" in a and ends_like_prose(a, 20) and (a[:40] in DIFFERENCES[0][2] or len(a) > 120)),
    Step("kind of the story question", 0.0, choice(TIME_TRAVEL), clear(control.CREATIVE_LABEL)),
    Step("creative response", 1.0, free(creative(TIME_TRAVEL)), time_travel),
    Step("the integral", 0.7, free(one(INTEGRAL)), lambda a: bool(re.search(r"\b0\b", a.replace("from 0 to 2pi", "")))),
    Step("birth date of Albert Einstein", 0.0,
         lambda s, t, seed: s.constrained(one("What is the birth date of Albert Einstein?"), DATE),
         lambda a: a in ("3/14/1879", "14/3/1879")),
    Step("character sheet of Harry Potter", 0.0, lambda s, t, seed: s.constrained(SHEET_PROMPT, SHEET), lambda a: a == HARRY),
    Step("first man on the moon", 0.0, free(one("Who was the first man on the moon?")), lambda a: "Neil Armstrong" in a),
    Step("Lev Landau", 0.0, free(one("Who was Lev Landau?")), lambda a: "Landau" in a and "physicist" in a),
    Step("joke about a chicken", 0.0, free(one("Please tell me a joke about a chicken.")),
         lambda a: "chicken" in a and "other side" in a),
    Step("pirate story", 1.0, free(PIRATE_PROMPT), lambda a: ends_like_prose(a, 20) and bool(re.search("rrr|ho-ho", a))),
]
