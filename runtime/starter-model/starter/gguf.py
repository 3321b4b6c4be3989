"""The GGUF file: written from a trained model, and read back for evaluation and repacking.

Matrices are stored as f16, norms as f32.
"""

import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch

from .model import Shape, Starter
from .tokenizer import END_ID, SPECIAL, STOP_ID, Tokenizer

NAME = "SGLang Notebooks starter"
DESCRIPTION = (
    "A tiny chat model that the SGLang Notebooks project trained on text that it generated itself. "
    "It knows the tutorial's topics; choose a real model for work."
)
CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
TYPE_F32, TYPE_F16 = 0, 1
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3


def _string(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _value(kind: int, value) -> bytes:
    return _string(value) if kind == STRING else struct.pack(FORMATS[kind], value)


def pair(key: str, kind: int, value) -> bytes:
    if isinstance(value, list):
        head = struct.pack("<IIQ", ARRAY, kind, len(value))
        return _string(key) + head + b"".join(_value(kind, v) for v in value)
    return _string(key) + struct.pack("<I", kind) + _value(kind, value)


def _metadata(shape: Shape, tokenizer: Tokenizer, parameters: int) -> list[bytes]:
    kinds = [CONTROL_TOKEN if t in SPECIAL else NORMAL_TOKEN for t in tokenizer.vocabulary]
    pairs = [
        ("general.architecture", STRING, "llama"),
        ("general.type", STRING, "model"),
        ("general.name", STRING, NAME),
        ("general.description", STRING, DESCRIPTION),
        ("general.license", STRING, "apache-2.0"),
        ("general.languages", STRING, ["en"]),
        ("general.size_label", STRING, f"{parameters / 1e6:.1f}M"),
        ("general.file_type", U32, 1),
        ("general.quantization_version", U32, 2),
        ("llama.vocab_size", U32, shape.vocabulary),
        ("llama.context_length", U32, shape.context),
        ("llama.embedding_length", U32, shape.width),
        ("llama.block_count", U32, shape.layers),
        ("llama.feed_forward_length", U32, shape.hidden),
        ("llama.attention.head_count", U32, shape.heads),
        ("llama.attention.head_count_kv", U32, shape.kv_heads),
        ("llama.attention.layer_norm_rms_epsilon", F32, shape.epsilon),
        ("llama.rope.dimension_count", U32, shape.head),
        ("llama.rope.freq_base", F32, shape.theta),
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "qwen2"),
        ("tokenizer.ggml.tokens", STRING, tokenizer.vocabulary),
        ("tokenizer.ggml.token_type", I32, kinds),
        ("tokenizer.ggml.merges", STRING, [" ".join(m) for m in tokenizer.merges]),
        ("tokenizer.ggml.bos_token_id", U32, END_ID),
        ("tokenizer.ggml.eos_token_id", U32, STOP_ID),
        ("tokenizer.ggml.eot_token_id", U32, STOP_ID),
        ("tokenizer.ggml.padding_token_id", U32, END_ID),
        ("tokenizer.ggml.add_bos_token", BOOL, False),
        ("tokenizer.chat_template", STRING, CHAT_TEMPLATE),
    ]
    return [pair(*p) for p in pairs]


LAYER_NAMES = {
    "norm1": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "out": "attn_output",
    "norm2": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}


def _names(layers: int) -> dict[str, str]:
    """Names of the tensors in the file and in the model."""
    names = {"token_embd.weight": "embedding.weight", "output_norm.weight": "norm.weight"}
    for i in range(layers):
        for ours, theirs in LAYER_NAMES.items():
            names[f"blk.{i}.{theirs}.weight"] = f"layers.{i}.{ours}.weight"
    return names


def export(model: Starter, tokenizer: Tokenizer, path: Path) -> None:
    weights = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    names = _names(model.shape.layers)
    metadata = _metadata(model.shape, tokenizer, sum(w.size for w in weights.values()))
    write(path, metadata, {theirs: weights[ours] for theirs, ours in names.items()})


def write(path: Path, metadata: list[bytes], tensors: dict[str, np.ndarray]) -> None:
    """A GGUF file; vectors as f32, the rest as f16."""
    info, blob = b"", bytearray()
    for name, array in tensors.items():
        kind = TYPE_F32 if array.ndim == 1 else TYPE_F16
        raw = array.astype("<f4" if kind == TYPE_F32 else "<f2").tobytes()
        dimensions = b"".join(struct.pack("<Q", n) for n in reversed(array.shape))
        info += _string(name) + struct.pack("<I", array.ndim) + dimensions + struct.pack("<IQ", kind, len(blob))
        blob += raw + b"\0" * (-len(raw) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata) + info
    head += b"\0" * (-len(head) % ALIGNMENT)
    path.write_bytes(head + blob)
    print(f"{path.name}: {len(head) + len(blob):,} bytes", flush=True)


class _Reader:
    def __init__(self, raw: bytes):
        self.raw, self.at = raw, 0

    def unpack(self, form: str):
        value = struct.unpack_from(form, self.raw, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        size = self.unpack("<Q")
        self.at += size
        return self.raw[self.at - size : self.at].decode("utf-8")

    def value(self, kind: int):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.unpack("<I"), self.unpack("<Q")
            return [self.value(inner) for _ in range(count)]
        return self.unpack(FORMATS[kind])


def open_file(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Metadata and tensors of a file that `write` wrote."""
    reader = _Reader(path.read_bytes())
    reader.at = 8
    tensors, pairs = reader.unpack("<Q"), reader.unpack("<Q")
    meta = {}
    for _ in range(pairs):
        key = reader.string()
        meta[key] = reader.value(reader.unpack("<I"))
    entries = []
    for _ in range(tensors):
        name, rank = reader.string(), reader.unpack("<I")
        size = [reader.unpack("<Q") for _ in range(rank)][::-1]
        entries.append((name, size, reader.unpack("<I"), reader.unpack("<Q")))
    start = reader.at + -reader.at % ALIGNMENT
    tensors = {}
    for name, size, kind, offset in entries:
        data = np.frombuffer(reader.raw, "<f4" if kind == TYPE_F32 else "<f2", int(np.prod(size)), start + offset)
        tensors[name] = data.astype(np.float32).reshape(size)
    return meta, tensors


def read(path: Path) -> tuple[Starter, Tokenizer]:
    """Model and tokenizer from a file that `export` wrote; the weights are the rounded ones."""
    meta, tensors = open_file(path)
    shape = Shape(
        meta["llama.vocab_size"], meta["llama.embedding_length"], meta["llama.block_count"],
        meta["llama.attention.head_count"], meta["llama.attention.head_count_kv"], meta["llama.feed_forward_length"],
        meta["llama.context_length"], meta["llama.rope.freq_base"], meta["llama.attention.layer_norm_rms_epsilon"],
    )
    weights = {ours: torch.from_numpy(tensors[theirs]) for theirs, ours in _names(shape.layers).items()}
    model = Starter(shape)
    model.load_state_dict(weights)
    merges = [m.split(" ") for m in meta["tokenizer.ggml.merges"]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        file.write_text(json.dumps({"vocabulary": meta["tokenizer.ggml.tokens"], "merges": merges}), encoding="utf-8")
        tokenizer = Tokenizer(file)
    return model.eval(), tokenizer
