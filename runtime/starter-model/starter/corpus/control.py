"""Technical or creative: the classification that steers the tutorial's control flow, and both answers."""

from random import Random

from .. import phrasings as ph
from ..chat import Chat, Document, ask
from ..facts import DIFFERENCES, JOKES, POEMS, STORIES, TOPICS, capitalise
from ..words import CREATIVE_REQUESTS, FIRST_NAMES, HEROES, TECHNICAL, TECHNICAL_REQUESTS, THEMES

CLASSIFY = "Based on the question, this seems like "
TECHNICAL_LABEL, CREATIVE_LABEL = "a technical query", "a creative request"
EXPLAIN, CREATE = "Here's a technical explanation: ", "Here's a creative response: "
UNKNOWN_TOPIC = "This starter model does not know enough about {x}. Please choose a larger model for this question."

GENERIC_STORY = (
    "{n} had always dreamed of {t}. One day a stranger with a green hat knocked at the door and brought an old map. "
    "{n} followed the map through rain and wind. In the end the dream came true, and {n} told the story to everyone."
)
GENERIC_POEM = (
    "I think of {t} when the day is new,\nit paints all the corners in gold and in blue.\n"
    "I think of {t} when the night is deep,\nit hums me a melody into my sleep."
)


def story(rng: Random, theme: str) -> str:
    """A story of three beats whose hero keeps the name."""
    hero = rng.choice(HEROES) if rng.random() < 0.4 else rng.choice(FIRST_NAMES)
    for name, *beats in STORIES:
        if name == theme:
            return " ".join(rng.choice(beat) for beat in beats).format(n=hero)
    return GENERIC_STORY.format(n=hero, t=theme)


def poem(theme: str) -> str:
    return dict(POEMS).get(theme) or GENERIC_POEM.format(t=theme)


def known_technical(rng: Random) -> tuple[str, str]:
    """A question with a written explanation. The tutorial's own question is asked more often."""
    roll = rng.random()
    if roll < 0.12:
        a, b, text = DIFFERENCES[0]
        return ph.DIFFERENCE.pick(rng, a=a, b=b), text
    if roll < 0.5:
        a, b, text = rng.choice(DIFFERENCES)
        if rng.random() < 0.15:
            a, b = b, a
        return ph.DIFFERENCE.pick(rng, a=a, b=b), text
    topic, kind, text = rng.choice(TOPICS)
    return (ph.HOW if kind == "how" else ph.WHAT).pick(rng, t=topic), text


def known_creative(rng: Random) -> tuple[str, str]:
    roll = rng.random()
    if roll < 0.12:
        theme = "time travel"
        return ph.STORY.pick(rng, t=theme), story(rng, theme)
    if roll < 0.52:
        theme = rng.choice(STORIES)[0]
        return ph.STORY.pick(rng, t=theme), story(rng, theme)
    if roll < 0.67:
        theme = rng.choice(THEMES)
        return ph.STORY.pick(rng, t=theme), story(rng, theme)
    theme = rng.choice(POEMS)[0] if roll < 0.9 else rng.choice(THEMES)
    return ph.POEM.pick(rng, t=theme), poem(theme)


def classified(rng: Random) -> Document:
    """Question, chosen label, and the explanation or response in a second assistant message."""
    technical = rng.random() < 0.5
    known = rng.random() < 0.6
    answer = None
    if known:
        question, answer = known_technical(rng) if technical else known_creative(rng)
    elif technical:
        subject = rng.choice(TECHNICAL)
        question = rng.choice(TECHNICAL_REQUESTS).format(x=subject, y=rng.choice(TECHNICAL))
        if rng.random() < 0.15:
            answer = UNKNOWN_TOPIC.format(x=subject)
    else:
        if rng.random() < 0.1:
            question = ph.JOKE.pick(rng, a="a " + (s := rng.choice(JOKES)[0]), s=s)
        else:
            question = rng.choice(CREATIVE_REQUESTS).format(x=rng.choice([*THEMES, *(s[0] for s in STORIES)]))
    chat = Chat(rng).user(question)
    chat.assistant(TECHNICAL_LABEL if technical else CREATIVE_LABEL, CLASSIFY, split=0.25)
    if answer is not None:
        chat.assistant(answer, EXPLAIN if technical else CREATE)
    return chat.done()


def direct(rng: Random) -> Document:
    """The same questions without the classification."""
    technical = rng.random() < 0.5
    question, answer = known_technical(rng) if technical else known_creative(rng)
    prefix = ""
    if rng.random() < 0.15:
        prefix = EXPLAIN if technical else CREATE
    return ask(rng, capitalise(question), answer, prefix)
