"""What PyTorch computes for the shipped file, so that llama.cpp can be compared token by token."""

import json
from pathlib import Path
from random import Random

from .chat import prompt
from .corpus import documents
from .facts import COUNTRIES, PEOPLE
from .model import Starter
from .tokenizer import Tokenizer
from .tutorial import CAPITAL_PROMPT, CPU_GPU, INTEGRAL, PIRATE_PROMPT, SHEET_PROMPT, TIME_TRAVEL
from .probes import creative, one, technical

ODD_TEXTS = [
    "", " ", "\n", "  two  blanks ", "tab\tand\r\nreturn", "don't we'll I'M THEY'RE", "3.14159 12345", "Grüße aus Köln",
    "naïve café", "世界你好", "こんにちは", "Привет", "مرحبا", "👋🏽 emoji 😀", "a²+b²=c²", "x  =  1;\n\n\n  y", "<|im_start|>user\nhi<|im_end|>",
    "<|endoftext|>", "<|im_end", "snake_case camelCase", "!!!???...", "\u00a0nbsp", "e\u0301", "½ Ⅷ ①", "C:\\path\\file",
]


def write(model: Starter, tokenizer: Tokenizer, path: Path) -> None:
    rng = Random(11)
    texts = ODD_TEXTS + ["".join(t for t, _ in d) for d in documents(250, 4321)]
    texts += ["".join(chr(rng.choice([rng.randint(32, 126), rng.randint(160, 0x24F), rng.randint(0x400, 0x4FF)]))
                      for _ in range(rng.randint(1, 40))) for _ in range(75)]
    prompts = [CAPITAL_PROMPT, SHEET_PROMPT, PIRATE_PROMPT, one(INTEGRAL), technical(CPU_GPU), creative(TIME_TRAVEL)]
    prompts += [one(f"What is the capital of {c[0]}?") for c in rng.sample(COUNTRIES, 20)]
    prompts += [one(f"Who was {p[0]}?") for p in rng.sample(PEOPLE, 20)]
    prompts += [prompt([("user", t)]) for t in ("Hello!", "asdf", "Write a poem about rain.", "My name is Zork Blib.")]
    greedy = []
    for text in prompts:
        ids = tokenizer.encode(text)
        greedy.append({"prompt": ids, "continuation": model.generate(ids, 96)})
    tokens = [{"text": t, "ids": tokenizer.encode(t)} for t in texts]
    path.write_text(json.dumps({"tokens": tokens, "greedy": greedy}, ensure_ascii=False), encoding="utf-8")
    print(f"{path}: {len(tokens)} texts, {len(greedy)} continuations")
