"""How the engine would use the model: greedy answers, choices by mean log probability, regular expressions."""

import regex
import torch

from .chat import IM_END
from .model import Starter
from .tokenizer import SPECIAL, Tokenizer


class Scorer:
    """A model with its tokenizer and the three ways of asking it."""

    def __init__(self, model: Starter, tokenizer: Tokenizer):
        self.model, self.tokenizer = model, tokenizer

    def answer(self, prompt: str, temperature: float = 0.0, seed: int = 0, limit: int = 160) -> str:
        return self.tokenizer.decode(self.model.generate(self.tokenizer.encode(prompt), limit, temperature, seed))

    @torch.no_grad()
    def says(self, prompt: str, expected: str, end: str = IM_END) -> bool:
        """Whether greedy decoding continues the prompt with exactly this answer and then ends."""
        head = self.tokenizer.encode(prompt)
        tail = self.tokenizer.encode(expected + end)
        table = self.model.logits(self.model.features(torch.tensor([head + tail[:-1]])))[0]
        return bool((table[len(head) - 1 :].argmax(-1) == torch.tensor(tail)).all())

    def choices(self, prompt: str, options: list[str]) -> list[float]:
        """The mean log probability per token of every option, as SGLang's default choices method has it."""
        shared = max(len(self.tokenizer.encode(prompt)) - 2, 0)
        scores = []
        for option in options:
            ids = self.tokenizer.encode(prompt + option)
            entries = self.model.log_probabilities(ids)[max(shared - 1, 0) :]
            if prompt.endswith(self.tokenizer.decode(ids[shared : shared + 1])):
                entries = entries[1:]
            scores.append(float(entries.mean()))
        return scores

    @torch.no_grad()
    def constrained(self, prompt: str, pattern: str, limit: int = 256) -> str:
        """Greedy decoding under a regular expression."""
        compiled = regex.compile(pattern)
        text, ids = "", self.tokenizer.encode(prompt)
        caches: list = [[] for _ in self.model.layers]
        feed, start = torch.tensor([ids]), 0
        for _ in range(limit):
            row = self.model.logits(self.model.features(feed, start=start, caches=caches)[0, -1])
            start += feed.shape[1]
            token = self._best(row, compiled, text)
            if token is None:
                break
            text += self.tokenizer.decode([token])
            feed = torch.tensor([[token]])
        return text

    def _best(self, row: torch.Tensor, pattern: regex.Pattern, text: str) -> int | None:
        """The most likely token that the pattern allows; None where the answer ends."""
        complete = pattern.fullmatch(text) is not None
        for token in row.argsort(descending=True).tolist():
            if token < len(SPECIAL):
                if complete:
                    return None
            elif pattern.fullmatch(text + self.tokenizer.decode([token]), partial=True):
                return token
        return None
