"""People, inventions, birth dates and the small facts of everyday knowledge."""

from random import Random

from .. import phrasings as ph
from ..chat import ANSWER, PROMPT, Chat, Document, ask
from ..facts import BORN, CHARACTERS, FACTS, PEOPLE, WHO_DID, date_in_words, sheet
from ..words import full_name

SHEET_SYSTEM = "You are a helpful assistant that extracts information about a character from a text."
UNKNOWN_PERSON = "I do not know who {n} is."


def who(rng: Random) -> Document:
    """Who was somebody, or who did something."""
    roll = rng.random()
    if roll < 0.04:
        name = full_name(rng)
        return ask(rng, ph.WHO.pick(rng, n=name), UNKNOWN_PERSON.format(n=name))
    if roll < 0.42:
        question, answer, _ = WHO_DID[0] if roll < 0.07 else rng.choice(WHO_DID)
        return ask(rng, ph.WHO_DID.pick(rng, q=question), answer)
    name, _, text = PEOPLE[1] if roll < 0.45 else rng.choice(PEOPLE)
    return ask(rng, ph.WHO.pick(rng, n=name), f"{name} {text}")


def birth(rng: Random) -> Document:
    """Birth dates in words and as month/day/year, the form that a regular expression may ask for."""
    name, date, _ = BORN[0] if rng.random() < 0.04 else rng.choice(BORN)
    question = ph.BIRTH.pick(rng, n=name)
    roll = rng.random()
    if roll < 0.5:
        answer = f"{name} was born on {date_in_words(date)}."
    elif roll < 0.9:
        answer = date
    else:
        month, day, year = date.split("/")
        question += " " + rng.choice(["Answer in the format YYYY-MM-DD.", "Use the ISO format."])
        answer = f"{year}-{int(month):02d}-{int(day):02d}"
    if rng.random() < 0.06:
        return [(f"Q: {question}\nA:", PROMPT), (f" {answer}\n", ANSWER)]
    chat = Chat(rng).user(question).assistant(answer)
    if rng.random() < 0.1:
        chat.user("In which year?").assistant(f"In {date.split('/')[2]}.")
    return chat.done()


def character(rng: Random) -> Document:
    """Character sheets. One in seven is about an unknown name, which then has to be copied."""
    row = CHARACTERS[0] if rng.random() < 0.1 else rng.choice(CHARACTERS)
    name = row[0]
    if rng.random() < 0.14:
        name = full_name(rng)
        columns = list(zip(*CHARACTERS))
        row = [name[:16].strip(), *(rng.choice(column) for column in columns[1:])]
    chat = Chat(rng, SHEET_SYSTEM) if rng.random() < 0.75 else Chat(rng)
    return chat.user(ph.EXTRACT.pick(rng, n=name)).assistant(sheet(row)).done()


def trivia(rng: Random) -> Document:
    """Small facts, as a sentence or as a single word or number."""
    question, short, full = rng.choice(FACTS)
    roll = rng.random()
    if roll < 0.6:
        return ask(rng, question, full)
    if roll < 0.8:
        hint = rng.choice([" Answer with one word.", " Answer with a number.", " Answer briefly.", " Only the answer."])
        return ask(rng, question + hint, short)
    return number_sentence(rng)


def number_sentence(rng: Random) -> Document:
    """"The number of hours in a day is 24", with a token border before the number."""
    numbers = [(q, s) for q, s, _ in FACTS if q.startswith("How many") and " in " in q and s.isdigit()]
    parts = []
    for question, short in rng.sample(numbers, rng.randint(1, 3)):
        thing = question[len("How many "):-1].replace(" are in", " in").replace(" are there", "")
        parts += [(f"The number of {thing} is" + (" " if (border := rng.random() < 0.6) else ""), PROMPT),
                  (("" if border else " ") + short + rng.choice(["\n", "\n", ".\n"]), ANSWER)]
    return parts


INTEGRALS = [
    ("sin(x)", "0", "2pi", "0", "the positive and the negative half of the curve cancel out"),
    ("sin(x)", "0", "pi", "2", "the curve stays above the axis"),
    ("cos(x)", "0", "2pi", "0", "the positive and the negative parts cancel out"),
    ("cos(x)", "0", "pi/2", "1", "the antiderivative is sin(x)"),
    ("x", "0", "1", "1/2", "the area is a triangle"),
    ("x", "0", "2", "2", "the area is a triangle"),
    ("x^2", "0", "1", "1/3", "the antiderivative is x^3/3"),
    ("1", "0", "1", "1", "the area is a square"),
    ("e^x", "0", "1", "e - 1", "the antiderivative is e^x"),
    ("1/x", "1", "e", "1", "the antiderivative is ln(x)"),
]
INTEGRAL_ANSWERS = [
    "The integral of {f} from {a} to {b} evaluates to {v}.",
    "The integral of {f} from {a} to {b} is {v}, because {why}.",
    "The integral of {f} from {a} to {b} is equal to {v}.",
    "It evaluates to {v}, since {why}.",
    "The answer is {v}.",
    "The answer is {v}, because {why}.",
    "The result is {v}. We can see it without calculation: {why}.",
    "{v}, because {why}.",
    "The value of this integral is {v}.",
]


def integral(rng: Random) -> Document:
    """Definite integrals with many wordings, so that forks with temperature differ."""
    f, a, b, v, why = INTEGRALS[0] if rng.random() < 0.55 else rng.choice(INTEGRALS)
    question = rng.choice(["What does the integral of {f} from {a} to {b} evaluate to?",
                           "What is the integral of {f} from {a} to {b}?",
                           "Evaluate the integral of {f} from {a} to {b}."]).format(f=f, a=a, b=b)
    question += rng.choice([" Answer without calculation.", " Answer without calculation.", "", " Answer briefly."])
    return ask(rng, question, rng.choice(INTEGRAL_ANSWERS).format(f=f, a=a, b=b, v=v, why=why))
