"""Executes Python source sent as the first line of standard input (a JSON string); posts how it ended."""

import json
import linecache
import os
import sys
import traceback

sys.path[:0] = sys.argv[1:]
source = json.loads(sys.stdin.readline())

import _sgl_transport as transport  # noqa: E402 - takes over stdin

linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
error = None
try:
    exec(compile(source, "<cell>", "exec"), {"__name__": "__main__"})
except BaseException as problem:
    error = {"type": type(problem).__name__, "message": str(problem), "traceback": traceback.format_exc()}
transport.call({"op": "test_done", "error": error})
os._exit(0)
