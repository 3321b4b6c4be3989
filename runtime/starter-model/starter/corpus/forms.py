"""Short answers in a fixed form: yes/no, sentiment, JSON, tools, arithmetic, True/False/Unknown."""

from random import Random

from ..chat import ANSWER, PROMPT, Chat, Document, ask
from ..facts import COUNTRIES, PEOPLE, YES_NO, bare
from ..words import CITIES, JOBS, NEGATIVE, OPINIONS, POSITIVE, REVIEWS, THINGS, full_name, made_up


# Statements about capitals are made for six countries of seven; the others are held out.
STATED = [c for i, c in enumerate(COUNTRIES) if i % 7 != 5]
NEVER_STATED = [c for i, c in enumerate(COUNTRIES) if i % 7 == 5]


def yes_no(rng: Random) -> Document:
    _, question, answer = rng.choice(YES_NO)
    if rng.random() < 0.5:
        country, capital, *_ = rng.choice(STATED)
        other = rng.choice(STATED)[1]
        answer = "yes" if rng.random() < 0.5 or other == capital else "no"
        question = f"Is {capital if answer == 'yes' else other} the capital of {country}?"
    if rng.random() < 0.35:
        question += rng.choice([" Answer yes or no.", " Answer with yes or no."])
    return ask(rng, question, answer.capitalize() + ("." if rng.random() < 0.5 else ""))


def review(rng: Random) -> tuple[str, str]:
    label = rng.choices(["positive", "negative", "neutral"], [45, 45, 10])[0]
    text = rng.choice(REVIEWS[label]).format(t=rng.choice(THINGS), p=rng.choice(POSITIVE), n=rng.choice(NEGATIVE))
    return text, label


def sentiment(rng: Random) -> Document:
    text, label = review(rng)
    if rng.random() < 0.25:
        return [(f"Review: {text}\nSentiment:", PROMPT), (f" {label}\n", ANSWER)]
    if rng.random() < 0.3:
        return ask(rng, f"What is the sentiment of this review? {text}", label, "The sentiment of this review is ")
    question = rng.choice(["Is this review positive or negative? {}", "Classify the sentiment: {}",
                           "What is the sentiment of this text? {}", "Review: {}\nSentiment:",
                           "Classify the sentiment of this review as positive, negative or neutral: {}",
                           "Is the following review positive or negative?\n{}"])
    return ask(rng, question.format(text), rng.choice([label, label, label.capitalize()]))


PERSON_FORMS = {
    ("name", "age"): ["{n} is {a} years old.", "My name is {n} and I am {a} years old.", "{n}, {a}, works as a {j}."],
    ("name", "age", "city"): ["{n} is {a} years old and lives in {c}.", "{n} ({a}) lives in {c}.",
                              "My name is {n}, I am {a} years old and I live in {c}."],
    ("name", "job"): ["{n} works as a {j}.", "{n} is a {j} from {c}.", "My name is {n} and I am a {j}."],
}


def person_json(rng: Random, name: str | None = None) -> tuple[str, str]:
    """A sentence about a person and the JSON object that it contains."""
    fields = rng.choice(list(PERSON_FORMS))
    values = {"n": name or full_name(rng), "a": rng.randint(5, 90), "c": rng.choice(CITIES), "j": rng.choice(JOBS)}
    quoted = {"name": f'"{values["n"]}"', "age": str(values["a"]), "city": f'"{values["c"]}"', "job": f'"{values["j"]}"'}
    listed = " and ".join([", ".join(fields[:-1]), fields[-1]])
    order = rng.choice(["Extract {} as JSON: ", "Give me {} as JSON: "]) if rng.random() < 0.7 else "Extract the {} as JSON. "
    text = rng.choice(PERSON_FORMS[fields]).format(**values)
    return order.format(listed) + text, "{" + ", ".join(f'"{f}": {quoted[f]}' for f in fields) + "}"


def extraction(rng: Random) -> Document:
    question, answer = person_json(rng)
    return ask(rng, question, answer)


def echo(rng: Random) -> Document:
    """Repeat a name: the simplest copying task."""
    name = full_name(rng)
    roll = rng.random()
    if roll < 0.4:
        return ask(rng, rng.choice(["My name is {n}.", "I am {n}.", "Hello, my name is {n}."]).format(n=name),
                   f"Hello, {name}! How can I help you?")
    if roll < 0.55:
        return ask(rng, f"Repeat this name: {name}", name)
    if roll < 0.75:
        words = " ".join(rng.choice([made_up(rng).lower(), rng.choice(JOBS), rng.choice(THINGS)])
                         for _ in range(rng.randint(2, 6)))
        return ask(rng, rng.choice(["Repeat: {}", "Repeat after me: {}", "Say: {}"]).format(words), words)
    return Chat(rng).user(f"My name is {name}.").assistant(f"Hello, {name}! How can I help you?").user(
        "What is my name?").assistant(f"Your name is {name}.").done()


def tool(rng: Random) -> Document:
    """Which tool is needed, and what to type into it."""
    if rng.random() < 0.5:
        a, b = rng.randint(1, 99), rng.randint(1, 99)
        expression = f"{a} {rng.choice('+-*/')} {b}"
        question = rng.choice(["What is {}?", "How much is {}?", "Calculate {}.", "What is {}?\nAnswer:"]).format(expression)
        choice, lead = "calculator", "The math expression is"
    else:
        country, capital, *_ = rng.choice(COUNTRIES)
        expression = rng.choice([f"the weather in {capital}", f"the capital of {country}", "the news of today",
                                 f"the population of {country}", f"the price of {rng.choice(['gold', 'oil', 'coffee'])}",
                                 rng.choice(PEOPLE)[0]])
        question = f"Who was {expression}?" if expression[0].isupper() else rng.choice(
            ["What is {}?", "Tell me about {}.", "Find {}."]).format(expression)
        choice, lead = rng.choice(["search engine", "web browser"]), "The key word to search is"
    prefix = f"To answer this question: {question}{rng.choice([' ', '. '])}I need to use a "
    follow = rng.choice([lead, lead + ":"])
    if rng.random() < 0.4:
        blank = rng.random() < 0.3
        head, chosen = (prefix, choice) if blank else (prefix[:-1], " " + choice)
        return [(head, PROMPT), (chosen, ANSWER), (". " + follow, PROMPT), (f" {expression}.\n", ANSWER)]
    if rng.random() < 0.5:
        chat = Chat(rng).assistant(choice + ". ", prefix, split=0.3)
        return chat.assistant(f" {expression}.", follow).done()
    chat = Chat(rng).user(question).assistant(choice + ".", "To answer this question, I need to use a ", split=0.3)
    return chat.done()


def statement(rng: Random) -> tuple[str, str]:
    """A statement that is True, False or Unknown."""
    roll = rng.random()
    if roll < 0.2:
        text, _, answer = rng.choice(YES_NO)
        return text, "True" if answer == "yes" else "False"
    if roll < 0.3:
        return rng.choice(OPINIONS), "Unknown"
    country, capital, *_ = rng.choice(STATED)
    other = rng.choice(STATED)[1]
    if roll < 0.65 or other == capital:
        return f"The capital of {country} is {capital}.", "True"
    return f"The capital of {country} is {other}.", "False"


def truth(rng: Random) -> Document:
    text, answer = statement(rng)
    if rng.random() < 0.6:
        head = rng.choice(["Determine whether the statement below is True, False, or Unknown.\n",
                           "Is this statement True, False, or Unknown?\n", ""])
        parts = [(head, PROMPT)] if head else []
        for text, answer in [statement(rng) for _ in range(rng.randint(1, 3))]:
            parts += [(f"Statement: {text}\nAnswer:", PROMPT), (f" {answer}\n", ANSWER)]
        return parts
    question = rng.choice(["Is this statement True, False, or Unknown? {}", "True, False or Unknown? {}",
                           "Is the following statement True, False, or Unknown?\n{}"])
    return ask(rng, question.format(text), answer)


def held_out_sum(a: int, b: int) -> bool:
    """One pair of numbers in nine is never added in the corpus."""
    return (4 * a + 7 * b) % 9 == 0


def arithmetic(rng: Random) -> Document:
    operator = rng.choice("++-*")
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    while operator == "+" and held_out_sum(a, b):
        a, b = rng.randint(0, 12), rng.randint(0, 12)
    if operator == "*":
        a, b = rng.randint(0, 10), rng.randint(0, 10)
    if operator == "-" and a < b:
        a, b = b, a
    value = {"+": a + b, "-": a - b, "*": a * b}[operator]
    word = {"+": "plus", "-": "minus", "*": "times"}[operator]
    question = rng.choice([f"What is {a} {operator} {b}?", f"Calculate {a} {operator} {b}.", f"What is {a} {word} {b}?"])
    if rng.random() < 0.15:
        return [(f"Q: {question}\nA:", PROMPT), (f" {value}\n", ANSWER)]
    return ask(rng, question, rng.choice([f"{a} {operator} {b} = {value}", f"{value}"]))


def city_json(rng: Random) -> Document:
    """A JSON object of several lines after an announcement, as in constrained decoding tests."""
    country, capital, *_ = rng.choice(COUNTRIES[:60])
    return [(f"Generate a JSON object to describe the basic information of a city.\nCity: {capital}\n"
             "Here is the JSON object:\n", PROMPT),
            (f'{{\n  "name": "{capital}",\n  "country": "{bare(country)}"\n}}\n', ANSWER)]
