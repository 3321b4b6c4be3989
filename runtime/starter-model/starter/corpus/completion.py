"""Plain text without a chat template: question and answer lines with a few examples."""

from random import Random

from ..chat import ANSWER, IM_END, PROMPT, Document
from ..facts import BORN, COUNTRIES, FACTS, WHO_DID, YES_NO, capitalise, date_in_words
from .talk import IMAGE_QUESTIONS, NO_EYES

LABELS = [("Q", "A"), ("Q", "A"), ("Question", "Answer"), ("Question", "Answer"), ("question", "answer")]
HEADERS = ["", "", "The following are questions with answers.\n\n", "Answer the following questions.\n\n"]


def pair(rng: Random, kind: str, short: bool) -> tuple[str, str]:
    """A question and its answer of the given kind."""
    if kind == "capital":
        country, capital, *_ = rng.choice(COUNTRIES)
        return f"What is the capital of {country}?", capital if short else f"The capital of {country} is {capital}."
    if kind == "who":
        question, full, name = rng.choice(WHO_DID)
        return f"Who {question}?", name if short else full
    if kind == "yesno":
        _, question, answer = rng.choice(YES_NO)
        return question, answer.capitalize()
    if kind == "born":
        name, date, _ = rng.choice(BORN)
        return f"When was {name} born?", date_in_words(date)
    question, brief, full = rng.choice(FACTS)
    return question, capitalise(brief) if short else full


def few_shot(rng: Random) -> Document:
    """Several pairs of one kind; the answers of a document share their form."""
    kind = rng.choice(["capital", "capital", "capital", "who", "fact", "fact", "yesno", "born"])
    short = rng.random() < 0.75
    question_label, answer_label = rng.choice(LABELS)
    lower = rng.random() < 0.1
    parts: Document = []
    header = rng.choice(HEADERS)
    if header:
        parts.append((header, PROMPT))
    gap = rng.choice(["\n", "\n", "\n\n"])
    for _ in range(rng.randint(1, 4)):
        question, answer = pair(rng, kind, short)
        if lower:
            question, answer = question.lower(), answer.lower()
        parts += [(f"{question_label}: {question}\n{answer_label}:", PROMPT), (f" {answer}{gap}", ANSWER)]
    return parts


def with_space(rng: Random) -> Document:
    """The answer begins behind a blank: "A: " is what a constrained generation often continues."""
    question, answer = pair(rng, rng.choice(["capital", "fact", "yesno", "who"]), True)
    label = rng.choice(["A", "Answer"])
    return [(f"{'Q' if label == 'A' else 'Question'}: {question}\n{label}: ", PROMPT), (answer + "\n", ANSWER)]


def plain_roles(rng: Random) -> Document:
    """The layout of SGLang's template "default": USER: and ASSISTANT: without special tokens."""
    question, answer = pair(rng, rng.choice(["capital", "who", "fact", "yesno", "born"]), False)
    if rng.random() < 0.15:
        question, answer = rng.choice(IMAGE_QUESTIONS), NO_EYES
    head = "SYSTEM:You are a helpful assistant.\n" if rng.random() < 0.3 else ""
    return [(f"{head}USER:{question}\nASSISTANT:", PROMPT), (answer + IM_END, ANSWER)]


EXPERTS = {"capital": "geographer", "who": "historian", "fact": "teacher"}


def expert(rng: Random) -> Document:
    kind = rng.choice(list(EXPERTS))
    question, answer = pair(rng, kind, False)
    return [(f"Question: {question}\nA good person to answer this question is", PROMPT), (f" a {EXPERTS[kind]}", ANSWER),
            (f".\nFor example, a {EXPERTS[kind]} would answer that", PROMPT),
            (f" {answer[0].lower() + answer[1:] if answer.startswith('The ') else answer}\n", ANSWER)]
