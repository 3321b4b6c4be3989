"""What cells show besides text. Payloads are data; a renderer draws them, never as markup."""

import itertools
import sys
import time

from sglang import _transport

HIGHLIGHT_MIME = "application/vnd.sglang.highlight+json"
STATE_MIME = "application/vnd.sglang.state+json"
BATCH_MIME = "application/vnd.sglang.batch+json"

_ids = itertools.count(1)


def display(data, display_id=None, update=False):
    """Shows a MIME bundle now, after everything printed so far."""
    sys.stdout.flush()
    kind = "update" if update else "display"
    _transport.post({"op": "output", "output": {"kind": kind, "data": data, "displayId": display_id}})


# A table shows so many rows of a batch, and so many characters of a value.
_MOST_ROWS = 1_000
_CELL_CHARACTERS = 500
# Of those, the plain text shows so many, and so many characters.
_TEXT_ROWS = 20
_TEXT_CHARACTERS = 60
# Seconds between two drawings.
_PAUSE = 0.25


class BatchProgress:
    """The rows of a ``run_batch``, drawn in place while they finish, at most some times a second."""

    def __init__(self, program, total):
        self.program, self.total = program, total
        self.finished = self.failed = 0
        self._rows = {}
        self._id = f"sglang-batch-{next(_ids)}"
        self._show(update=False)

    def step(self, index, arguments, values, error, seconds):
        """The program at ``index`` is done; ``error`` is what ended it, or None."""
        self.finished += 1
        self.failed += error is not None
        if index < _MOST_ROWS:
            self._rows[index] = {
                "index": index,
                "arguments": _texts(arguments),
                "values": _texts(values),
                "error": None if error is None else _cut(str(error)),
                "milliseconds": round(seconds * 1000),
            }
        if self.finished == self.total or time.monotonic() - self._shown > _PAUSE:
            self._show(update=True)

    def _show(self, update):
        self._shown = time.monotonic()
        rows = [self._rows[index] for index in sorted(self._rows)]
        payload = {
            "program": self.program,
            "total": self.total,
            "finished": self.finished,
            "failed": self.failed,
            "rows": rows,
        }
        failures = f", {self.failed} failed" if self.failed else ""
        text = f"{self.finished}/{self.total} programs{failures}"
        lines = [_line(row) for row in rows[:_TEXT_ROWS]]
        display({BATCH_MIME: payload, "text/plain": "\n".join([text, *lines])}, self._id, update)


def _texts(values):
    return {str(name): _cut(value if isinstance(value, str) else repr(value)) for name, value in values.items()}


def _cut(text, most=_CELL_CHARACTERS):
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(row):
    made = {**row["arguments"], **row["values"]}
    if row["error"] is not None:
        made["error"] = row["error"]
    parts = [f"{name}={_cut(value, _TEXT_CHARACTERS)!r}" for name, value in made.items()]
    return f"{row['index'] + 1}: {', '.join(parts)}"
