"""Builds the starter model: tokenizer, training, export, evaluation. Run `python build.py --help`."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

LATE_SHARE = 0.4  # weight of the continuation in the average
SEEING_SHARE = 0.9  # weight of a model that sees in the average with the one it came from, where `remember` starts
TOWER = "starter-mmproj.gguf"  # beside the language model, where the runtime looks for it
SHARPNESS = 1.5  # scale of the last norm: temperature 1 of the file is temperature 0.67 of the trained model


def build_tokenizer(work: Path) -> Path:
    """Learns the vocabulary from a sample of the corpus."""
    import json

    from starter.corpus import documents
    from starter.tokenizer import train

    path = work / "tokenizer.json"
    data = train((text for d in documents(60_000, 7) for text, _ in d), 4096)
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    print(f"tokenizer: {len(data['vocabulary'])} tokens, {len(data['merges'])} merges", flush=True)
    return path


def train_and_continue(args: argparse.Namespace, tokenizer_path: Path) -> None:
    """The main schedule, and a short continuation at low rates that is averaged with its end."""
    from starter.tokenizer import Tokenizer
    from starter.train import Plan, train

    tokenizer = Tokenizer(tokenizer_path)
    plan = Plan(tokens=args.tokens, minutes=args.minutes, threads=args.threads, seed=args.seed)
    main = train(tokenizer, plan, args.work / "main.pt")
    late = replace(plan, tokens=args.tokens // 8, minutes=args.minutes / 8, peak=0.25, late=True, seed=args.seed + 1)
    train(tokenizer, late, args.work / "late.pt", main)


def train_tower(args: argparse.Namespace, tokenizer_path: Path) -> None:
    """The tower, and a language model that reads its tokens: the averaged one, or that of an older file."""
    import torch

    from starter.gguf import read
    from starter.model import average, load
    from starter.tokenizer import Tokenizer
    from starter.vision.train import TowerPlan, learn
    from starter.vision.tower import Tower

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.start:
        model, tokenizer = read(args.start)
    else:
        model, tokenizer = average(load(args.work / "main.pt"), load(args.work / "late.pt"), LATE_SHARE), Tokenizer(tokenizer_path)
        with torch.no_grad():
            model.norm.weight *= SHARPNESS
    plan = TowerPlan(minutes=args.tower_minutes, seed=args.seed)
    learn(model.train(), Tower(), tokenizer, plan, args.work / "seeing.pt")


def remember_texts(args: argparse.Namespace) -> None:
    """Leads a pair of files that sees back towards the language model it came from, while it goes on looking."""
    import torch

    from starter.gguf import read
    from starter.model import average
    from starter.vision.mmproj import read_tower
    from starter.vision.train import TowerPlan, remember

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    before, tokenizer = read(args.start)
    model = average(before, read(args.out)[0], SEEING_SHARE)
    plan = TowerPlan(minutes=args.tower_minutes, seed=args.seed, model_rate=5e-4, foreign=0.2)
    remember(model.train(), before, read_tower(args.out.with_name(TOWER)), tokenizer, plan, args.work / "seeing.pt")


def export_both(args: argparse.Namespace, tokenizer_path: Path) -> None:
    from starter.gguf import export, read
    from starter.model import load
    from starter.tokenizer import Tokenizer
    from starter.vision.mmproj import export_tower
    from starter.vision.train import load_tower, tower_path

    tokenizer = read(args.start)[1] if args.start else Tokenizer(tokenizer_path)
    export(load(args.work / "seeing.pt"), tokenizer, args.out)
    export_tower(load_tower(tower_path(args.work / "seeing.pt")), args.out.with_name(TOWER))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = ["all", "corpus", "tokenizer", "train", "tower", "remember", "export", "evaluate", "gate", "reference"]
    parser.add_argument("command", nargs="?", default="all", choices=commands)
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="folder for the tokenizer and checkpoints")
    parser.add_argument("--out", type=Path, default=HERE / "starter.gguf", help="where the weights go")
    parser.add_argument("--tokens", type=int, default=18_000_000, help="length of the main schedule")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="shorten the main schedule to this time")
    parser.add_argument("--tower-minutes", type=float, default=60, help="length of the tower's four lessons")
    parser.add_argument("--start", type=Path, help="`tower`: a starter.gguf that learns to see, instead of what `train` made; "
                                                   "`remember`: what the one in --out came from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    steps = ["tokenizer", "train", "tower", "export", "evaluate"] if args.command == "all" else [args.command]
    tokenizer_path = args.work / "tokenizer.json"

    if "corpus" in steps:
        from starter.corpus import documents

        for document in documents(200, args.seed):
            print("".join(text for text, _ in document) + "\n" + "-" * 40)
        return 0
    if "tokenizer" in steps:
        build_tokenizer(args.work)
    if "train" in steps:
        train_and_continue(args, tokenizer_path)
    if "tower" in steps:
        train_tower(args, tokenizer_path)
    if "remember" in steps:
        remember_texts(args)
    if "export" in steps:
        export_both(args, tokenizer_path)
    if not {"evaluate", "gate", "reference"} & set(steps):
        return 0

    import torch

    from starter.gguf import read

    torch.set_num_threads(args.threads)
    model, tokenizer = read(args.out)
    if "reference" in steps:
        from starter.reference import write

        write(model, tokenizer, args.work / "reference.json")
        return 0
    from starter.evaluate import gate, report
    from starter.vision import evaluate as pictures
    from starter.vision.mmproj import read_tower

    tower = read_tower(args.out.with_name(TOWER))
    if "evaluate" in steps:
        text = report(model, tokenizer) + pictures.report(model, tower, tokenizer)
        print(text)
        (HERE / "EVALUATION.md").write_text(text, encoding="utf-8")
    return gate(model, tokenizer) | pictures.gate(model, tower, tokenizer)


if __name__ == "__main__":
    sys.exit(main())
