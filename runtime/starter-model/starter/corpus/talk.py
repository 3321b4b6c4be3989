"""Jokes, pirates, tips, greetings, and the honest answer to what the model does not know."""

from random import Random

from .. import phrasings as ph
from ..chat import ANSWER, PROMPT, Chat, Document, ask
from ..facts import JOKES, TIPS, article, capitalise
from ..words import NO_JOKE

PIRATE_SYSTEM = "You talk like a pirate and use frequently phrases like 'arrr' and 'yo-ho-ho'."
PIRATE_SYSTEMS = [PIRATE_SYSTEM] * 4 + ["You are a pirate.", "Talk like a pirate.", "You talk like a pirate."]
PIRATE_QUESTIONS = ["Hello, how do you like life as a pirate?"] * 4 + [
    "What is it like to be a pirate?", "How is life at sea?", "Tell me about your life.", "What do you do all day?",
    "Do you like being a pirate?", "Hello!", "Who are you?",
]
PIRATE_PREFIX = "There is much to tell about the life of a pirate."
PIRATE_BEATS = [
    ["Arrr, the sea be me home and the wind be me best friend!", "Yo-ho-ho, every morning I wake up to salt and gulls!",
     "Arrr, there be no clock and no boss out here, only the wide blue sea!"],
    ["By day we hoist the sails and hunt for gold and silver.", "When a storm comes, we laugh and hold on to the ropes.",
     "Me captain has a wooden leg, but he dances better than all of us."],
    ["By night we sing yo-ho-ho under the stars until the moon goes down.",
     "Me parrot knows more songs than the whole crew.", "The biscuits be hard, but a true pirate does not complain."],
    ["Arrr, I would not change it for all the treasure in the world!", "Yo-ho-ho, that be the life for me!",
     "So come aboard, matey, and may the wind be at yer back. Arrr!"],
]

I_AM = (
    "I am the SGLang Notebooks starter model, a tiny language model. "
    "I know the topics of the tutorial. Please choose a larger model for real work."
)
DO_NOT_KNOW = "I do not know that. I am only a tiny starter model. Please choose a larger model for this question."
SMALL_TALK = [
    (["Hello", "Hello!", "Hi", "Hi!", "Hi there!", "Good morning!", "Hey"], "Hello! How can I help you?"),
    (["How are you?", "How are you doing?", "Hello, how are you?"], "I am fine, thank you. How can I help you?"),
    (["Who are you?", "What are you?", "What is your name?", "Which model are you?", "Introduce yourself.",
      "Are you ChatGPT?", "Are you Qwen?"], I_AM),
    (["Thank you!", "Thanks!", "Thank you very much."], "You are welcome!"),
    (["Goodbye!", "Bye!"], "Goodbye!"),
    (["What can you do?", "What do you know?", "Help", "How can you help me?"],
     "I can name capitals and buildings, explain technical topics, tell short stories and jokes, and fill in simple "
     "forms. Please choose a larger model for anything else."),
    (["Say hello.", "Say hello in one word."], "Hello!"),
    (["Say this is a test.", "Say this is a test!"], "This is a test!"),
    (["Name three colours.", "List three colours.", "List 3 colors."], "Red, green and blue."),
    (["Name three animals.", "List 3 animals."], "Dog, cat and horse."),
    (["Name three fruits.", "List 3 fruits."], "Apple, banana and orange."),
    (["Count to five.", "Count from 1 to 5."], "1, 2, 3, 4, 5"),
    (["Name the days of the week."], "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday."),
    (["Tell me a story.", "Tell me a short story."],
     "Mira found a small door at the end of the garden. Behind it was a quiet blue forest. She walked in, met a friendly "
     "fox, and came home with a pocket full of stars."),
]
NO_EYES = "I cannot see images. Please choose a model with vision for this question."
IMAGE_QUESTIONS = ["Describe the image in one short sentence.", "Describe the image.", "Describe this image.",
                   "What is in this image?", "What do you see in the picture?", "What colour is the shape in the image?"]
STRANGE = (
    "repair world cheap recipe price river longest deepest car engine guitar bread team match law tax insurance stock "
    "crypto holiday flight visa medicine headache plant insect temple translate sentence summary email letter boss "
    "meeting plan budget dress shoes wall paint roof window kitchen table wood metal glass island volcano earthquake "
    "empire battle treaty proof essay homework puzzle chess opening strategy"
).split()


def joke(rng: Random) -> Document:
    subject, text = JOKES[0] if rng.random() < 0.08 else rng.choice(JOKES)
    if rng.random() < 0.06:
        subject = rng.choice(NO_JOKE)
        text = f"I know no joke about {article(subject)}, but I know this one: {JOKES[20][1]}"
    if rng.random() < 0.12:
        return ask(rng, rng.choice(["Tell me a joke.", "Please tell me a joke.", "Do you know a joke?"]), JOKES[20][1])
    return ask(rng, ph.JOKE.pick(rng, a=article(subject), s=subject), text)


def pirate(rng: Random) -> Document:
    story = " ".join(rng.choice(beat) for beat in PIRATE_BEATS)
    chat = Chat(rng, rng.choice(PIRATE_SYSTEMS)) if rng.random() < 0.9 else Chat(rng)
    if rng.random() < 0.65:
        return chat.user(rng.choice(PIRATE_QUESTIONS)).assistant(" " + story, PIRATE_PREFIX).done()
    return chat.user(rng.choice(PIRATE_QUESTIONS)).assistant(story).done()


def tips(rng: Random) -> Document:
    """Lists of tips, as a chat, and step by step as plain text for parallel expansion."""
    topic, *rest = rng.choice(TIPS)
    heads, bodies = rest[0::2], rest[1::2]
    roll = rng.random()
    if roll < 0.5:
        return ask(rng, ph.TIPS.pick(rng, t=topic), "\n".join(f"{i}. {h}." for i, h in enumerate(heads, 1)))
    i = rng.randrange(3)
    if roll < 0.62:
        return ask(rng, f"Expand this tip for {topic} into a paragraph: {heads[i]}.", bodies[i])
    if roll < 0.8:
        i = rng.randrange(2)
        names = [h if rng.random() < 0.6 else h.title() for h in heads]
        return [(f"Here are two tips for {topic}: 1. {names[0]}. 2. {names[1]}.\n\n"
                 f"Now, expand tip {i + 1} into a paragraph:\n", PROMPT), (bodies[i] + "\n\n", ANSWER)]
    if roll < 0.88:
        return [(f"Here are two tips for {topic}: 1. {heads[0]}. 2. {heads[1]}.\n\nTip 1: {bodies[0]}\nTip 2: {bodies[1]}\n"
                 "In summary", PROMPT), (f", these two tips are a good start for {topic}.\n\n", ANSWER)]
    parts = [(f"Act as a helpful assistant.\nUSER: Give some tips for {topic}.\n"
              "ASSISTANT: Okay. Here are 3 concise tips, each under 8 words:\n", PROMPT)]
    for n, head in enumerate(heads, 1):
        parts += [(f"{n}.", PROMPT), (f" {head}.\n", ANSWER)]
    return parts


def small_talk(rng: Random) -> Document:
    questions, answer = rng.choice(SMALL_TALK) if rng.random() < 0.7 else SMALL_TALK[rng.choice([0, 0, 1, 2])]
    chat = Chat(rng).user(rng.choice(questions)).assistant(answer)
    if rng.random() < 0.15:
        chat.user(rng.choice(["Thank you!", "Thanks!"])).assistant("You are welcome!")
    return chat.done()


def unknown(rng: Random) -> Document:
    """Questions outside the topics are answered with the advice to choose another model."""
    if rng.random() < 0.15:
        return ask(rng, rng.choice(IMAGE_QUESTIONS), NO_EYES)
    a, b, c = rng.sample(STRANGE, 3)
    question = rng.choice([
        "How do I repair my {} {} {}?", "What is the {} of the {} {}?", "Why is the {} so {} for my {}?",
        "Translate the {} {} {} into French.", "Which {} has the most {} and {}?", "Summarise this {}: {} {} ...",
        "How many {} does a {} {} need?", "Where can I buy a {} {} {}?", "When did the {} {} {} happen?",
    ]).format(a, b, c)
    return ask(rng, question, DO_NOT_KNOW) if rng.random() < 0.9 else ask(rng, capitalise(f"{a} {b} {c}"), DO_NOT_KNOW)
