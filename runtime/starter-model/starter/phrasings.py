"""Ways to ask. The corpus uses only `seen`; the evaluation asks the `held_out` ones as well."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Phrasings:
    """Question templates; the first one is the main form and gets half of the weight."""

    seen: list[str]
    held_out: list[str]

    def pick(self, rng: Random, **values: str) -> str:
        template = self.seen[0] if rng.random() < 0.5 else rng.choice(self.seen)
        return template.format(**values)


CAPITAL = Phrasings(
    ["What is the capital of {c}?", "What's the capital of {c}?", "Which city is the capital of {c}?",
     "Name the capital of {c}.", "Tell me the capital of {c}.", "Do you know the capital of {c}?",
     "what is the capital of {c}", "capital of {c}?", "The capital of {c} is which city?"],
    ["What is the capital city of {c}?", "Please name the capital of {c}.", "Can you tell me the capital of {c}?"],
)
BUILDING = Phrasings(
    ["Name an interesting building in this city.", "What is an interesting building in this city?",
     "Tell me about a famous building there.", "Which building should I visit there?",
     "Name a famous building in this city.", "Is there an interesting building in {k}?",
     "Name an interesting building in {k}.", "Which landmark is there?", "What can I see there?"],
    ["Name a famous landmark in this city.", "Tell me an interesting building in this city.",
     "Which famous building is in {k}?"],
)
BIRTH = Phrasings(
    ["What is the birth date of {n}?", "What is the date of birth of {n}?", "When was {n} born?",
     "What is {n}'s birth date?", "Give me the birth date of {n}.", "On which day was {n} born?"],
    ["What's the birth date of {n}?", "Tell me the birth date of {n}.", "What is the birthday of {n}?"],
)
WHO = Phrasings(
    ["Who was {n}?", "Who is {n}?", "Tell me about {n}.", "What do you know about {n}?",
     "Please tell me who {n} was.", "who was {n}"],
    ["Can you tell me who {n} was?", "Tell me who {n} was.", "Who exactly was {n}?"],
)
WHO_DID = Phrasings(
    ["Who {q}?", "Do you know who {q}?", "Tell me who {q}.", "who {q}", "Question: Who {q}?"],
    ["Can you tell me who {q}?", "Please tell me who {q}."],
)
JOKE = Phrasings(
    ["Please tell me a joke about {a}.", "Tell me a joke about {a}.", "Do you know a joke about {a}?",
     "Tell me a joke about {s}s.", "A joke about {a}, please."],
    ["Can you tell me a joke about {a}?", "I would like to hear a joke about {a}."],
)
DIFFERENCE = Phrasings(
    ["What is the main difference between {a} and {b}?", "What is the difference between {a} and {b}?",
     "Explain the difference between {a} and {b}.", "How does {a} differ from {b}?",
     "What's the difference between {a} and {b}?", "Compare {a} and {b}."],
    ["Can you explain the difference between {a} and {b}?", "In what way is {a} different from {b}?"],
)
HOW = Phrasings(
    ["How does {t} work?", "Explain how {t} works.", "Can you explain how {t} works?", "How do you explain {t}?",
     "Can you help me understand how {t} works?", "Please explain {t}."],
    ["Could you tell me how {t} works?", "I want to know how {t} works."],
)
WHAT = Phrasings(
    ["What is {t}?", "Explain {t}.", "Can you explain {t}?", "What does {t} mean?", "Please explain {t}.",
     "Can you help me understand {t}?"],
    ["Could you explain {t}?", "What exactly is {t}?"],
)
STORY = Phrasings(
    ["Can you help me write a story about {t}?", "Write a story about {t}.", "Tell me a story about {t}.",
     "Please write a short story about {t}.", "Can you write a story about {t}?", "I need a story about {t}.",
     "Make up a story about {t}.", "Invent a tale about {t}.", "Write a fairy tale about {t}."],
    ["Could you write me a story about {t}?", "Help me with a short story about {t}."],
)
POEM = Phrasings(
    ["Write a poem about {t}.", "Can you help me write a poem about {t}?", "Compose a poem about {t}.",
     "Please write a short poem about {t}.", "Can you write a song about {t}?", "Write some verses about {t}.",
     "I need a poem about {t}."],
    ["Could you write me a poem about {t}?", "Help me with a poem about {t}."],
)
EXTRACT = Phrasings(
    ["Extract the relevant information about {n}.", "Extract the information about {n}.",
     "Give me the relevant information about {n} as JSON.",
     "{n} is a character in Harry Potter. Please fill in the following information about this character."],
    ["Please extract the relevant information about {n}.", "Extract all information about {n}."],
)
TIPS = Phrasings(
    ["Give 3 tips for {t}.", "Give three tips for {t}.", "Give me 3 tips for {t}.", "What are three tips for {t}?",
     "Give some tips for {t}.", "Can you give me tips for {t}?"],
    ["Please give me three tips for {t}.", "List 3 tips for {t}."],
)

ALL = {name: value for name, value in globals().items() if isinstance(value, Phrasings)}
