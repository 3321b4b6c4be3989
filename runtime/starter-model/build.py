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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", default="all",
                        choices=["all", "corpus", "tokenizer", "train", "export", "evaluate", "gate", "reference"])
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="folder for the tokenizer and checkpoints")
    parser.add_argument("--out", type=Path, default=HERE / "starter.gguf", help="where the weights go")
    parser.add_argument("--tokens", type=int, default=24_000_000, help="length of the training schedule")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="shorten the schedule to this time")
    parser.add_argument("--init", type=Path, help="continue this checkpoint, with a quarter of the rates")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    every = args.command == "all"

    if args.command == "corpus":
        from starter.corpus import documents

        for document in documents(200, args.seed):
            print("".join(text for text, _ in document) + "\n" + "-" * 40)
        return 0

    tokenizer_path, checkpoint = args.work / "tokenizer.json", args.work / "starter.pt"
    if every or args.command == "tokenizer":
        build_tokenizer(args.work)
    if args.command == "tokenizer":
        return 0

    from starter.model import load
    from starter.tokenizer import Tokenizer

    if every or args.command == "train":
        from starter.train import Plan, train

        plan = Plan(tokens=args.tokens, minutes=args.minutes, threads=args.threads, seed=args.seed)
        start = None
        if args.init:
            plan, start = replace(plan, peak=0.25), load(args.init)
        train(Tokenizer(tokenizer_path), plan, checkpoint, start)
    if every or args.command == "export":
        from starter.gguf import export

        export(load(checkpoint), Tokenizer(tokenizer_path), args.out)
    if every or args.command in ("evaluate", "gate", "reference"):
        import torch

        from starter.gguf import read

        torch.set_num_threads(args.threads)
        model, tokenizer = read(args.out)
        if args.command == "reference":
            from starter.reference import write

            write(model, tokenizer, args.work / "reference.json")
            return 0
        from starter.evaluate import gate, report

        if args.command != "gate":
            text = report(model, tokenizer)
            print(text)
            (HERE / "EVALUATION.md").write_text(text, encoding="utf-8")
        return gate(model, tokenizer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
