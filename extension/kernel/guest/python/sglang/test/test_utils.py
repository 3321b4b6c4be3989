"""What SGLang's benchmark programs and documentation notebooks take from its tests."""

import argparse
import os

from sglang.global_config import global_config


def is_in_ci():
    """Whether ``SGLANG_IS_IN_CI`` says that a notebook runs in SGLang's own CI."""
    return os.environ.get("SGLANG_IS_IN_CI", "false").lower() in ("true", "1")


def add_common_sglang_args_and_parse(parser: argparse.ArgumentParser):
    """Adds the usual options and parses the command line."""
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--host", type=str, default="http://127.0.0.1")
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--backend", type=str, default="srt")
    parser.add_argument("--result-file", type=str, default="result.jsonl")
    parser.add_argument("--device", type=str, default="auto")
    return parser.parse_args()


def select_sglang_backend(args):
    """The backend that the options name: ``srt``, ``srt-no-parallel``, or a model of OpenAI."""
    if args.backend.startswith("gpt-"):
        from sglang.lang.backend.openai import OpenAI

        return OpenAI(args.backend)
    if not args.backend.startswith("srt"):
        raise ValueError(f"Invalid backend: {args.backend}. Known are srt, srt-no-parallel and OpenAI's gpt-… models.")
    if args.backend == "srt-no-parallel":
        global_config.enable_parallel_encoding = False
    from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint

    return RuntimeEndpoint(f"{args.host}:{args.port}")
