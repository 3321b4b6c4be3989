"""Word lists from which the generators draw; names and topics that are held out live here too."""

from random import Random

HEROES = "Mira Leo Anna Tom Ella Noah Lena Max".split()

FIRST_NAMES = (
    "Alice Arthur Basil Bruno Clara Cora Daisy Edgar Elsa Felix Fiona Greta Hugo Iris Ivan Jasper Juno Kira Lila "
    "Magnus Nora Oscar Otto Petra Quinn Rosa Rufus Selma Silas Theo Tilda Ursula Victor Wanda Xavier Yara Zoe Boris "
    "Carl Dora Emil Flora Gideon Hazel Igor Jack Karl Maria John Sarah Peter Paul Susan Emma Olivia Liam"
).split()
LAST_NAMES = (
    "Ashworth Brook Cole Crane Dale Drake Fairley Finch Frost Gray Green Hart Hill Holt Hood Jones Keller Lake Lamb "
    "Marsh Moon Moss North Oakes Park Pike Quill Reed Rook Sands Snow Stone Swift Thorn Vale Ward Webb West Wolfe "
    "Wood Young Smith Brown Miller Taylor Adams Clark"
).split()
HELD_OUT_FIRST = "Bella Caspar Dina Erik Frida Gustav".split()
HELD_OUT_LAST = "Archer Bishop Carver Fisher Mason Porter".split()

SYLLABLES = (
    "za bor lin mar ket ola gru ven dor pel sim tar qua nor bel wis fa ron tu ki sto ga li ar vo an el mi da ne ro sa "
    "th er in on ra le mo be ni co"
).split()


def made_up(rng: Random) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 3))).capitalize()


def full_name(rng: Random) -> str:
    """A person for copying tasks; a third of the names are nonsense, so copying has to be learned."""
    if rng.random() < 0.35:
        return f"{made_up(rng)} {made_up(rng)}"
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def held_out_name(rng: Random) -> str:
    return f"{rng.choice(HELD_OUT_FIRST)} {rng.choice(HELD_OUT_LAST)}"


JOBS = "teacher baker pilot doctor painter farmer singer engineer nurse writer lawyer cook".split()
CITIES = "Berlin Paris Rome Madrid London Vienna Oslo Prague Athens Tokyo Cairo Lima Boston Chicago Hamburg Milan".split()

# Technical subjects without an explanation in the corpus: they only teach the classification.
TECHNICAL = [
    "a load balancer", "a mutex", "a semaphore", "a deadlock", "unit testing", "a REST API", "GraphQL", "Docker",
    "Kubernetes", "a web server", "an SQL query", "a for loop", "a lambda function", "a decorator in Python",
    "a pull request", "a merge conflict", "a linked list", "a binary tree", "Dijkstra's algorithm", "big O notation",
    "a race condition", "virtual memory", "paging", "an interrupt", "a device driver", "a bootloader", "a stack overflow",
    "a memory leak", "a segmentation fault", "multithreading", "a promise in JavaScript", "a CSS selector", "TLS",
    "OAuth", "a VPN", "a proxy server", "a CDN", "public key cryptography", "a digital signature", "backpropagation",
    "a convolution", "a learning rate", "reinforcement learning", "a decision tree", "linear regression", "a matrix",
    "an eigenvalue", "a derivative", "the Fourier transform", "a capacitor", "a transistor", "a resistor", "a diode",
    "a transformer in a power grid", "a wind turbine", "a heat pump", "a diesel engine", "a gearbox", "a hydraulic press",
    "sonar", "an MRI scanner", "fibre optics", "a 3D printer", "a drone", "a rocket engine", "a satellite", "a telescope",
    "a qubit", "superconductivity", "a semiconductor", "photovoltaics", "an enzyme", "mitosis", "an antibiotic",
    "plate tectonics", "the greenhouse effect", "a chemical bond", "an acid", "pressure", "friction", "inertia",
]
TECHNICAL_HELD_OUT = [
    "a circuit breaker", "a message queue", "recursion in C", "a B-tree", "an elevator", "a hard drive", "a steam turbine",
    "a network socket", "an electric car", "a spreadsheet formula",
]
TECHNICAL_REQUESTS = [
    "How do I install {x}?", "Why does {x} fail?", "How can I fix {x}?", "What are the advantages of {x}?",
    "Can you help me debug {x}?", "When should I use {x}?", "How do you measure {x}?", "What is {x} used for?",
    "How do I configure {x}?", "Why is {x} slow?", "How can I make {x} faster?", "What is the purpose of {x}?",
    "Can you describe {x} in detail?", "Who needs {x} and why?", "How is {x} built?", "How does {x} work?",
    "What is {x}?", "Explain {x}.", "Can you help me understand {x}?", "What is the main difference between {x} and {y}?",
    "How does {x} compare to {y}?", "Is {x} better than {y}?", "Which is faster, {x} or {y}?",
]

# Themes for creative requests beyond the written stories and poems.
THEMES = [
    "a brave knight", "a talking tree", "a princess", "an old king", "a lonely island", "a clever mouse", "a flying carpet",
    "an astronaut", "a vampire", "a haunted house", "a train at night", "a magic mirror", "a singing stone", "two sisters",
    "a lost letter", "the last library", "a giant", "an elf", "a unicorn", "a snowy mountain", "a desert caravan",
    "a secret door", "a brave little girl", "a boy and his kite", "a circus", "a clockmaker", "the end of the world",
    "a forgotten song", "a parallel world", "aliens", "a pirate queen", "a sleepy town", "a broken heart", "hope", "freedom",
    "a rainy Sunday", "my grandmother", "the summer holidays", "a football match", "a wedding", "a birthday party",
    "a dream", "the colour blue", "an invisible man", "a crazy inventor", "a wise owl", "a bear in the city",
]
THEMES_HELD_OUT = [
    "a golden fish", "a lazy dragon", "an ancient castle", "a young queen", "a travelling musician", "the first snow",
    "a shy monster", "a magic pencil", "a sailor", "a hidden garden",
]
CREATIVE_REQUESTS = [
    "Write a love letter about {x}.", "Write a song about {x}.", "Compose a haiku about {x}.", "Invent a slogan for {x}.",
    "Write a dialogue with {x}.", "Come up with a title for a novel about {x}.", "Make up a legend about {x}.",
    "Can you help me write a play about {x}?", "Write the first line of a novel about {x}.", "Imagine a world with {x}.",
    "Describe {x} like a poet.", "Can you invent a game about {x}?", "What would be a good title for a story about {x}?",
    "Write a bedtime story about {x}.", "Can you come up with a fairy tale about {x}?", "Help me write a speech for {x}.",
    "Create a character for a story about {x}.", "Write a limerick about {x}.", "Can you help me write a story about {x}?",
    "Write a poem about {x}.", "Tell me a tale of {x}.", "Please write a rap about {x}.", "Can you help me write lyrics about {x}?",
]

NO_JOKE = "lawyer cloud river hat piano window tiger train mountain spoon pencil queen tree house boat door".split()

POSITIVE = "great wonderful excellent amazing fantastic lovely brilliant delightful good superb".split()
NEGATIVE = "terrible awful boring bad horrible disappointing dreadful poor annoying ugly".split()
THINGS = "movie book restaurant hotel game phone service meal concert trip film show product coffee teacher".split()
REVIEWS = {
    "positive": ["The {t} was {p}.", "What a {p} {t}!", "I think the {t} was {p}.", "This is a {p} {t}.",
                 "The {t} was really {p} and I loved it.", "I love this {t}.", "Best {t} ever!",
                 "I would gladly come back to this {t}.", "I am very happy with the {t}."],
    "negative": ["The {t} was {n}.", "What a {n} {t}!", "I think the {t} was {n}.", "This is a {n} {t}.",
                 "The {t} was really {n} and I hated it.", "I hate this {t}.", "Worst {t} ever!",
                 "I would never come back to this {t}.", "I am very unhappy with the {t}."],
    "neutral": ["The {t} was okay.", "The {t} was neither good nor bad.", "It was an average {t}."],
}
OPINIONS = [
    "Purple is a better colour than green.", "Cats are nicer than dogs.", "Summer is the best season.",
    "Football is more fun than tennis.", "Tea tastes better than coffee.", "Tomorrow it will rain.",
    "The number of stars is even.", "My neighbour likes jazz.", "Chocolate is the best ice cream.",
    "She will call next week.", "The old house is haunted.", "Blue cars are luckier than red cars.",
    "Purple is a better color than green.", "Monday is the worst day of the week.",
]
