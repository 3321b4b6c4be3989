"""Byte-level BPE as llama.cpp's tokenizer "gpt2" with the pre-tokenizer "qwen2": trainer and codec."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import regex

from .chat import END_OF_TEXT, IM_END, IM_START

SPECIAL = [END_OF_TEXT, IM_START, IM_END]
END_ID, START_ID, STOP_ID = 0, 1, 2

# The split of Qwen 2: contractions, words with one leading sign, single digits, signs, line ends, blanks.
PIECES = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_SPLIT = regex.compile("(" + "|".join(regex.escape(s) for s in SPECIAL) + ")")


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's mapping of the 256 bytes to printable characters."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in printable}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + len(table) - len(printable))
    return table


BYTE_TO_CHAR = _byte_alphabet()
CHAR_TO_BYTE = {c: b for b, c in BYTE_TO_CHAR.items()}


def _spell(word: str) -> list[str]:
    return [BYTE_TO_CHAR[b] for b in word.encode("utf-8")]


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def train(texts: Iterable[str], size: int) -> dict:
    """Learns `size` tokens. Counts are damped so that rare names receive pieces of their own as well."""
    counts: Counter[str] = Counter()
    for text in texts:
        for part in SPECIAL_SPLIT.split(text):
            if part not in SPECIAL:
                counts.update(PIECES.findall(part))
    words = [_spell(w) for w in counts]
    weight = [int(n**0.6) + 1 for n in counts.values()]
    pairs: Counter[tuple[str, str]] = Counter()
    places = defaultdict(set)
    for i, symbols in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += weight[i]
            places[pair].add(i)
    vocabulary = SPECIAL + [BYTE_TO_CHAR[b] for b in range(256)]
    known, merges = set(vocabulary), []
    while len(vocabulary) < size and pairs:
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        if best[0] + best[1] not in known:
            vocabulary.append(best[0] + best[1])
            known.add(best[0] + best[1])
        for i in places.pop(best):
            old, new = words[i], _merge(words[i], best)
            for pair in zip(old, old[1:]):
                pairs[pair] -= weight[i]
                if pairs[pair] <= 0:
                    del pairs[pair]
            for pair in zip(new, new[1:]):
                pairs[pair] += weight[i]
                places[pair].add(i)
            words[i] = new
        pairs.pop(best, None)
    return {"vocabulary": vocabulary, "merges": [list(m) for m in merges]}


class Tokenizer:
    """Encodes and decodes text with a trained vocabulary."""

    def __init__(self, path: Path):
        data = json.loads(path.read_text(encoding="utf-8"))
        self.vocabulary: list[str] = data["vocabulary"]
        self.merges: list[tuple[str, str]] = [tuple(m) for m in data["merges"]]
        self.ids = {token: i for i, token in enumerate(self.vocabulary)}
        self.ranks = {m: i for i, m in enumerate(self.merges)}
        self._word = lru_cache(maxsize=200_000)(self._encode_word)
        self.segment = lru_cache(maxsize=50_000)(self.encode)

    def words(self) -> list[str]:
        """The lower-case words that are one token behind a blank."""
        return [t[1:] for t in self.vocabulary if regex.fullmatch("Ġ[a-z]{3,}", t)]

    def _encode_word(self, word: str) -> tuple[int, ...]:
        symbols = _spell(word)
        while len(symbols) > 1:
            best = min(zip(symbols, symbols[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
            if best not in self.ranks:
                break
            symbols = _merge(symbols, best)
        return tuple(self.ids[s] for s in symbols)

    def encode(self, text: str) -> list[int]:
        out: list[int] = []
        for part in SPECIAL_SPLIT.split(text):
            if part in SPECIAL:
                out.append(SPECIAL.index(part))
            elif part:
                for piece in PIECES.findall(part):
                    out.extend(self._word(piece))
        return out

    def decode(self, ids: Iterable[int]) -> str:
        raw = b""
        for i in ids:
            token = self.vocabulary[i]
            raw += token.encode() if i < len(SPECIAL) else bytes(CHAR_TO_BYTE[c] for c in token)
        return raw.decode("utf-8", "replace")
