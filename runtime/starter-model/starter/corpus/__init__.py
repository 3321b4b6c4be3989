"""The mixture: which generator is drawn how often, in documents per thousand."""

from collections.abc import Iterator
from random import Random

from ..chat import Document
from . import completion, control, forms, geography, people, talk

MIXTURE = {
    geography.conversation: 190,
    geography.single: 55,
    geography.lists: 12,
    control.classified: 190,
    control.direct: 65,
    people.who: 90,
    people.birth: 75,
    people.character: 50,
    people.trivia: 35,
    people.integral: 25,
    talk.joke: 32,
    talk.pirate: 25,
    talk.tips: 30,
    talk.small_talk: 22,
    talk.unknown: 14,
    forms.yes_no: 22,
    forms.sentiment: 24,
    forms.extraction: 34,
    forms.echo: 26,
    forms.tool: 24,
    forms.truth: 26,
    forms.arithmetic: 22,
    forms.city_json: 6,
    completion.few_shot: 40,
    completion.with_space: 14,
    completion.expert: 8,
    completion.plain_roles: 14,
}

# The continuation at the end of the training asks for more of what is learned last.
LATE_MIXTURE = MIXTURE | {forms.yes_no: 34, forms.tool: 40, forms.truth: 55, forms.arithmetic: 45}


def documents(count: int, seed: int, late: bool = False) -> Iterator[Document]:
    """`count` documents, the same ones for the same seed."""
    rng = Random(seed)
    makers, weights = zip(*(LATE_MIXTURE if late else MIXTURE).items())
    for maker in rng.choices(makers, weights, k=count):
        yield maker(rng)
