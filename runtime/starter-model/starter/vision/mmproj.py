"""The mmproj file: written from a trained tower as llama.cpp's `mlp` projector, and read back for evaluation."""

from pathlib import Path

import torch

from ..gguf import BOOL, F32, I32, STRING, U32, open_file, pair, write
from .tower import Tower, TowerShape

NAME = "SGLang Notebooks starter vision tower"
DESCRIPTION = "A tiny vision tower for the starter model. It knows pictures of a few coloured shapes and nothing else."
BLOCK_NAMES = {
    "norm1": "ln1", "norm2": "ln2", "q": "attn_q", "k": "attn_k", "v": "attn_v", "out": "attn_out",
    "up": "ffn_up", "down": "ffn_down",
}


def _names(layers: int) -> dict[str, str]:
    """Names of the tensors in the file and in the tower."""
    pairs = {"v.patch_embd": "patch", "v.post_ln": "norm", "mm.0": "project0", "mm.2": "project2"}
    for i in range(layers):
        pairs |= {f"v.blk.{i}.{theirs}": f"blocks.{i}.{ours}" for ours, theirs in BLOCK_NAMES.items()}
    names = {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in pairs.items() for part in ("weight", "bias")}
    return names | {"v.position_embd.weight": "position"}


def export_tower(tower: Tower, path: Path) -> None:
    s = tower.shape
    metadata = [
        ("general.architecture", STRING, "clip"),
        ("general.type", STRING, "mmproj"),
        ("general.name", STRING, NAME),
        ("general.description", STRING, DESCRIPTION),
        ("general.license", STRING, "apache-2.0"),
        ("general.file_type", U32, 1),
        ("clip.has_vision_encoder", BOOL, True),
        ("clip.projector_type", STRING, "mlp"),
        ("clip.use_gelu", BOOL, True),
        ("clip.vision.image_size", U32, s.size),
        ("clip.vision.patch_size", U32, s.patch),
        ("clip.vision.embedding_length", U32, s.width),
        ("clip.vision.feed_forward_length", U32, s.hidden),
        ("clip.vision.projection_dim", U32, s.out),
        ("clip.vision.block_count", U32, s.layers),
        ("clip.vision.attention.head_count", U32, s.heads),
        ("clip.vision.attention.layer_norm_epsilon", F32, s.epsilon),
        ("clip.vision.image_mean", F32, [0.5] * 3),
        ("clip.vision.image_std", F32, [0.5] * 3),
        # The last block counts too; without this llama.cpp takes the features before it.
        ("clip.vision.feature_layer", I32, [s.layers]),
    ]
    weights = {k: v.detach().float().numpy() for k, v in tower.state_dict().items()}
    tensors = {theirs: weights[ours] for theirs, ours in _names(s.layers).items()}
    tensors["v.patch_embd.weight"] = tensors["v.patch_embd.weight"].reshape(s.width, 3, s.patch, s.patch)
    write(path, [pair(*m) for m in metadata], tensors)


def read_tower(path: Path) -> Tower:
    """The tower of a file that `export_tower` wrote; the weights are the rounded ones."""
    meta, tensors = open_file(path)
    shape = TowerShape(
        meta["clip.vision.image_size"], meta["clip.vision.patch_size"], meta["clip.vision.embedding_length"],
        meta["clip.vision.attention.head_count"], meta["clip.vision.feed_forward_length"],
        meta["clip.vision.block_count"], meta["clip.vision.projection_dim"],
        meta["clip.vision.attention.layer_norm_epsilon"],
    )
    tower = Tower(shape)
    weights = {ours: torch.from_numpy(tensors[theirs]) for theirs, ours in _names(shape.layers).items()}
    weights["patch.weight"] = weights["patch.weight"].flatten(1)
    tower.load_state_dict(weights)
    return tower.eval()
