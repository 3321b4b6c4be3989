"""Documents of the corpus and the ChatML layout that the extension renders.

A document is a list of segments `(text, weight)`. Every segment is tokenised on its own, so a
segment border is always a token border, exactly as at run time when a prompt ends in the middle
of an assistant turn. The weight says how much the segment counts in the training loss.
"""

from random import Random

Segment = tuple[str, float]
Document = list[Segment]

GIVEN = 0.0  # text that the program fills in: the model must not learn to volunteer it
PROMPT = 0.1
ANSWER = 1.0

IM_START, IM_END, END_OF_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
DEFAULT_SYSTEM = "You are a helpful assistant."
QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
OTHER_SYSTEMS = [
    "You are a friendly assistant.",
    "You are a helpful AI assistant.",
    "You answer questions briefly.",
    "You are a concise and honest assistant.",
    "You are an expert.",
    "Answer the question of the user.",
]


def pick_system(rng: Random) -> str | None:
    """The system prompt of an ordinary chat; mostly the default of the template."""
    roll = rng.random()
    if roll < 0.6:
        return DEFAULT_SYSTEM
    if roll < 0.76:
        return QWEN_SYSTEM
    if roll < 0.9:
        return rng.choice(OTHER_SYSTEMS)
    return None


def turn(role: str, text: str) -> str:
    """One closed ChatML message."""
    return f"{IM_START}{role}\n{text}{IM_END}\n"


def prompt(messages: list[tuple[str, str]], prefix: str = "", system: str | None = DEFAULT_SYSTEM) -> str:
    """The text that is sent to the engine for these messages, open at the assistant's answer."""
    head = turn("system", system) if system is not None else ""
    return head + "".join(turn(r, t) for r, t in messages) + f"{IM_START}assistant\n{prefix}"


def vary(rng: Random, question: str) -> str:
    """Now and then the question as people type it: polite, in a hurry, without punctuation."""
    roll = rng.random()
    if roll > 0.12 or len(question) < 8 or "\n" in question:
        return question
    if roll < 0.03:
        return question.rstrip("?.!")
    if roll < 0.05:
        return question[0].lower() + question[1:]
    if roll < 0.07:
        return question[0].lower() + question[1:].rstrip("?.!")
    return rng.choice(["Hello! {}", "Please answer this question: {}", "{} Thank you.", "I have a question. {}",
                       "Hi, {}", "{} Please be brief."]).format(question)


def estrange(rng: Random, document: Document, others: list[str]) -> Document:
    """The document with questions that nobody put like that: words left out, moved, and some of `others` between them.

    The answers stay, right or not: this is for repeating what another model says there.
    """
    asks = f"{IM_START}user\n"
    closes = f"{IM_END}\n"

    def changed(text: str) -> str:
        words = text.removeprefix(asks).removesuffix(closes).split(" ")
        for _ in range(rng.randint(1, 3)):
            at, to = rng.randrange(len(words)), rng.randrange(len(words))
            roll = rng.random()
            if roll < 0.35 and len(words) > 2:
                del words[at]
            elif roll < 0.75:
                words.insert(at, rng.choice(others))
            else:
                words[at], words[to] = words[to], words[at]
        return asks + " ".join(words) + closes

    return [(changed(text) if text.startswith(asks) else text, weight) for text, weight in document]


class Chat:
    """Builds a chat document turn by turn."""

    def __init__(self, rng: Random, system: str | None = "pick"):
        self.rng = rng
        self.segments: Document = []
        if system == "pick":
            system = pick_system(rng)
        if system is not None:
            self.segments.append((turn("system", system), PROMPT))

    def user(self, text: str) -> "Chat":
        self.segments.append((turn("user", vary(self.rng, text)), PROMPT))
        return self

    def assistant(self, text: str, prefix: str = "", split: float = 0.8) -> "Chat":
        """An answer, if wanted behind a prefix that the program fills in.

        `split` is the probability that a blank at the end of the prefix is a token of its own. Choices are
        scored on the joint text, where it belongs to the next word; generated text continues the tokens of the
        prefix: both occur.
        """
        self.segments.append((f"{IM_START}assistant\n", PROMPT))
        if prefix.endswith(" ") and self.rng.random() >= split:
            prefix, text = prefix[:-1], " " + text
        if prefix:
            self.segments.append((prefix, GIVEN))
        self.segments.append((text + IM_END, ANSWER))
        self.segments.append(("\n", PROMPT))
        return self

    def done(self) -> Document:
        return self.segments


def ask(rng: Random, question: str, answer: str, prefix: str = "") -> Document:
    """A chat of one question and one answer."""
    return Chat(rng).user(question).assistant(answer, prefix).done()
