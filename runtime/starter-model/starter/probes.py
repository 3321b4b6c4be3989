"""The questions of the evaluation, by kind, each asked in seen and in held-out form."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from . import phrasings as ph
from . import words
from .chat import QWEN_SYSTEM, prompt
from .corpus import control, forms, geography, people, talk
from .facts import (
    BORN, CHARACTERS, COUNTRIES, DIFFERENCES, FACTS, JOKES, PEOPLE, POEMS, TIPS, TOPICS, WHO_DID, YES_NO, article, sheet,
)
from .scoring import Scorer

SEEN, HELD_OUT = "seen", "held-out"
DATE = r"\d{1,2}\/\d{1,2}\/\d{2,4}"
SHEET = (
    r"\{\n" r'    "name": "[\w\d\s]{1,16}",\n' r'    "house": "(Gryffindor|Slytherin|Ravenclaw|Hufflepuff)",\n'
    r'    "blood status": "(Pure-blood|Half-blood|Muggle-born)",\n'
    r'    "occupation": "(student|teacher|auror|ministry of magic|death eater|order of the phoenix)",\n'
    r'    "wand": \{\n' r'        "wood": "[\w\d\s]{1,16}",\n' r'        "core": "[\w\d\s]{1,16}",\n'
    r'        "length": [0-9]{1,2}\.[0-9]{0,2}\n' r"    \},\n" r'    "alive": "(Alive|Deceased)",\n'
    r'    "patronus": "[\w\d\s]{1,16}",\n' r'    "bogart": "[\w\d\s]{1,16}"\n' r"\}"
)


@dataclass
class Probe:
    """One question and the test of its answer."""

    kind: str
    split: str
    passes: Callable[[Scorer], bool]


def exact(kind: str, split: str, text: str, *expected: str, end: str = "<|im_end|>") -> Probe:
    return Probe(kind, split, lambda s: any(s.says(text, e, end) for e in expected))


def one(question: str, prefix: str = "") -> str:
    return prompt([("user", question)], prefix)


def asked(rng: Random, phrasing: ph.Phrasings, **values: str) -> list[tuple[str, str]]:
    """A seen and a held-out question of the same content."""
    return [(SEEN, phrasing.pick(rng, **values)), (HELD_OUT, rng.choice(phrasing.held_out).format(**values))]


def geography_probes(rng: Random) -> Iterator[Probe]:
    for country, capital, building, description, _ in COUNTRIES:
        answer = geography.capital_answer(country, capital)
        for split, question in asked(rng, ph.CAPITAL, c=country):
            yield exact("capital", split, one(question), answer)
        for split, question in asked(rng, ph.BUILDING, k=capital):
            turns = [("user", f"What is the capital of {country}?"), ("assistant", answer), ("user", question)]
            yield exact("building in a second turn", split, prompt(turns, system=QWEN_SYSTEM),
                        geography.building_answer(capital, building, description))


def people_probes(rng: Random) -> Iterator[Probe]:
    for name, _, text in PEOPLE:
        for split, question in asked(rng, ph.WHO, n=name):
            yield exact("who was", split, one(question), f"{name} {text}")
    for did, answer, _ in WHO_DID:
        for split, question in asked(rng, ph.WHO_DID, q=did):
            yield exact("who did", split, one(question), answer)
    for name, date, _ in BORN:
        for split, question in asked(rng, ph.BIRTH, n=name):
            yield Probe("birth date by regular expression", split,
                        lambda s, q=one(question), d=date: s.constrained(q, DATE) == d)
    for row in CHARACTERS:
        for split, question in asked(rng, ph.EXTRACT, n=row[0]):
            text = prompt([("user", question)], system=people.SHEET_SYSTEM)
            yield Probe("character sheet", split, lambda s, q=text, r=row: s.constrained(q, SHEET) == sheet(r))
    for split, make in ((SEEN, words.full_name), (HELD_OUT, words.held_out_name)):
        for _ in range(20):
            name = make(rng)
            text = prompt([("user", ph.EXTRACT.seen[0].format(n=name))], system=people.SHEET_SYSTEM)
            yield Probe("name copied into a sheet", split,
                        lambda s, q=text, n=name: f'"name": "{n[:16].strip()}"' in s.constrained(q, SHEET))


def knowledge_probes(rng: Random) -> Iterator[Probe]:
    for a, b, text in DIFFERENCES:
        for split, question in asked(rng, ph.DIFFERENCE, a=a, b=b):
            yield exact("explanation", split, technical(question), text)
    for topic, kind, text in TOPICS:
        for split, question in asked(rng, ph.HOW if kind == "how" else ph.WHAT, t=topic):
            yield exact("explanation", split, technical(question), text)
    for theme, text in POEMS:
        for split, question in asked(rng, ph.POEM, t=theme):
            yield exact("poem", split, creative(question), text)
    for subject, text in JOKES:
        for split, question in asked(rng, ph.JOKE, a=article(subject), s=subject):
            yield exact("joke", split, one(question), text)
    for topic, *rest in TIPS:
        lines = "\n".join(f"{i}. {h}." for i, h in enumerate(rest[0::2], 1))
        for split, question in asked(rng, ph.TIPS, t=topic):
            yield exact("three tips", split, one(question), lines)
    for question, short, full in FACTS:
        yield exact("small facts", SEEN, one(question), full)
        yield exact("small facts", HELD_OUT, one("Please tell me: " + question), full, short)
    for questions, answer in talk.SMALL_TALK:
        yield exact("small talk", SEEN, one(questions[0]), answer)


def technical(question: str) -> str:
    """The prompt of the tutorial's second assistant message after the choice."""
    chosen = ("assistant", control.CLASSIFY + control.TECHNICAL_LABEL)
    return prompt([("user", question), chosen], control.EXPLAIN)


def creative(question: str) -> str:
    return prompt([("user", question), ("assistant", control.CLASSIFY + control.CREATIVE_LABEL)], control.CREATE)


def label(value: str) -> tuple[str, ...]:
    return (value, value.capitalize(), value.capitalize() + ".")


def form_probes(rng: Random) -> Iterator[Probe]:
    for _, question, answer in YES_NO:
        yield exact("yes or no", SEEN, one(question), *label(answer))
    for country, capital, *_ in forms.NEVER_STATED:
        yield exact("yes or no", HELD_OUT, one(f"Is {capital} the capital of {country}?"), *label("yes"))
        other = rng.choice(forms.STATED)[1]
        yield exact("yes or no", HELD_OUT, one(f"Is {other} the capital of {country}?"), *label("no"))
    unseen = {"positive": ["marvellous", "perfect", "nice"], "negative": ["disgusting", "useless", "sad"]}
    for _ in range(40):
        text, mood = forms.review(rng)
        yield exact("sentiment", SEEN, one(f"Is this review positive or negative? {text}"), *label(mood))
        mood = rng.choice(list(unseen))
        text = f"The {rng.choice(words.THINGS)} was {rng.choice(unseen[mood])}."
        yield exact("sentiment", HELD_OUT, one(f"Is this review positive or negative? {text}"), *label(mood))
        question, answer = forms.person_json(rng)
        yield exact("JSON extraction", SEEN, one(question), answer)
        question, answer = forms.person_json(rng, words.held_out_name(rng))
        yield exact("JSON extraction", HELD_OUT, one(question), answer)
        for split, name in ((SEEN, words.full_name(rng)), (HELD_OUT, words.held_out_name(rng))):
            yield exact("greeting with a name", split, one(f"My name is {name}."), f"Hello, {name}! How can I help you?")
        statement, truth = forms.statement(rng)
        yield exact("True, False or Unknown", SEEN, f"Statement: {statement}\nAnswer:", f" {truth}", end="\n")
        country, capital, *_ = rng.choice(forms.NEVER_STATED)
        wrong = rng.random() < 0.5
        statement = f"The capital of {country} is {rng.choice(forms.STATED)[1] if wrong else capital}."
        yield exact("True, False or Unknown", HELD_OUT, f"Statement: {statement}\nAnswer:", f" {not wrong}", end="\n")
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        split = HELD_OUT if forms.held_out_sum(a, b) else SEEN
        yield exact("sums up to 20", split, one(f"What is {a} + {b}?"), f"{a} + {b} = {a + b}", f"{a + b}")
        shots = rng.sample(COUNTRIES, 3)
        for split, (q, a) in ((SEEN, ("Q", "A")), (HELD_OUT, ("Input", "Output"))):
            text = "\n".join(f"{q}: What is the capital of {c}?\n{a}: {k}" for c, k, *_ in shots)
            yield exact("few-shot capital", split, text[: -len(shots[-1][1]) - 1], " " + shots[-1][1], end="\n")


TOOL_QUESTIONS = {
    SEEN: [("What is 12 + 7?", 0), ("Calculate 45 * 3.", 0), ("What is the weather in Paris?", 1), ("Who was Plato?", 1)],
    HELD_OUT: [("How much does 5 + 6 give?", 0), ("Please compute 81 / 9.", 0), ("Where is the capital of Peru?", 1),
               ("What happened in the news of today?", 1), ("Solve 17 - 9.", 0), ("Which films are new in London?", 1)],
}


def choice_questions(rng: Random) -> Iterator[tuple[str, str, int]]:
    """Split, question and the index of the right label: 0 technical, 1 creative."""
    for _ in range(60):
        yield SEEN, control.known_technical(rng)[0], 0
        yield SEEN, control.known_creative(rng)[0], 1
    for subject in words.TECHNICAL_HELD_OUT:
        for request in rng.sample(words.TECHNICAL_REQUESTS, 4):
            yield HELD_OUT, request.format(x=subject, y=rng.choice(words.TECHNICAL_HELD_OUT)), 0
        yield HELD_OUT, rng.choice(ph.HOW.held_out).format(t=subject), 0
    for theme in words.THEMES_HELD_OUT:
        for request in rng.sample(words.CREATIVE_REQUESTS, 4):
            yield HELD_OUT, request.format(x=theme), 1
        yield HELD_OUT, rng.choice(ph.STORY.held_out + ph.POEM.held_out).format(t=theme), 1


def all_probes(seed: int = 99) -> list[Probe]:
    rng = Random(seed)
    makers = (geography_probes, people_probes, knowledge_probes, form_probes)
    return [probe for make in makers for probe in make(rng)]
