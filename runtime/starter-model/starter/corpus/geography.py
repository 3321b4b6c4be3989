"""Capitals and buildings: the multi-turn conversation of the tutorial, for every country."""

from random import Random

from .. import phrasings as ph
from ..chat import ANSWER, PROMPT, Chat, Document, ask
from ..facts import COUNTRIES, bare, capitalise
from ..words import made_up

FAMOUS = 60  # the countries that appear in lists


def capital_answer(country: str, capital: str) -> str:
    return f"The capital of {country} is {capital}."


def building_answer(capital: str, building: str, description: str) -> str:
    return f"One interesting building in {capital} is {building}. It is {description}."


def conversation(rng: Random) -> Document:
    """Capital first, then a building in "this city"."""
    country, capital, building, description, second = rng.choice(COUNTRIES)
    chat = Chat(rng).user(ph.CAPITAL.pick(rng, c=country)).assistant(capital_answer(country, capital))
    roll = rng.random()
    if roll < 0.82:
        chat.user(ph.BUILDING.pick(rng, k=capital)).assistant(building_answer(capital, building, description))
        if roll < 0.14:
            another = rng.choice(["Name another one.", "And another building?", "What else can I see there?"])
            chat.user(another).assistant(f"Another sight in {capital} is {second}.")
    elif roll < 0.9:
        both = rng.choice(["List two local attractions.", "List two attractions.", "Name two sights there."])
        chat.user(both).assistant(f"1. {capitalise(bare(building))}\n2. {capitalise(bare(second))}")
    else:
        next_country, next_capital, *_ = rng.choice(COUNTRIES)
        more = rng.choice(["And of {c}?", "What about {c}?", "And what is the capital of {c}?"])
        chat.user(more.format(c=next_country)).assistant(capital_answer(next_country, next_capital))
    return chat.done()


def single(rng: Random) -> Document:
    """One question about a country, a city or a building; also countries that do not exist."""
    country, capital, building, description, _ = rng.choice(COUNTRIES)
    roll = rng.random()
    if roll < 0.25:
        question = rng.choice(["Which country has the capital {k}?", "{k} is the capital of which country?"])
        return ask(rng, question.format(k=capital), f"{capital} is the capital of {country}.")
    if roll < 0.65:
        question = rng.choice(["Name an interesting building in {k}.", "Is there an interesting building in {k}?",
                               "What can I see in {k}?", "Tell me about the city of {k}."])
        return ask(rng, question.format(k=capital), building_answer(capital, building, description))
    if roll < 0.75:
        text = f"{{\"country\": \"{bare(country)}\", \"capital\": \"{capital}\"}}"
        return ask(rng, f"Give me information about {country} as JSON.", text)
    if roll < 0.85:
        name = made_up(rng) + rng.choice(["ia", "land", "stan", "o"])
        return ask(rng, ph.CAPITAL.pick(rng, c=name), f"I do not know a country called {name}.")
    return [(f"The capital of {country} is", PROMPT), (f" {capital}.", ANSWER)]


def lists(rng: Random) -> Document:
    """Numbered lists of countries and capitals, twice in a row."""
    rows = rng.sample(COUNTRIES[:FAMOUS], 6)
    lines = [f"{capitalise(bare(c))} - {k}" for c, k, *_ in rows]

    def numbered(items: list[str]) -> str:
        return "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1))

    first = rng.choice(["List 3 countries and their capitals.", "List three countries and their capitals.",
                        "Please give me a list of 3 countries and their capitals.", "Name 3 countries and their capitals."])
    chat = Chat(rng).user(first).assistant(numbered(lines[:3]))
    if rng.random() < 0.6:
        again = rng.choice(["Please give me another list of 3 countries and their capitals.", "Give me another list.",
                            "List three more."])
        chat.user(again).assistant(numbered(lines[3:]))
    return chat.done()
