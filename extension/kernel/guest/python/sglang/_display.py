"""What cells show besides text. Payloads are data; a renderer draws them, never as markup."""

import itertools
import sys

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


class BatchProgress:
    """The progress of a ``run_batch``, drawn in place, at most some times a second."""

    def __init__(self, program, total):
        self.program, self.total = program, total
        self.finished = self.failed = 0
        self._id = f"sglang-batch-{next(_ids)}"
        self._shown = -1
        self._show(update=False)

    def step(self, has_failed):
        self.finished += 1
        self.failed += bool(has_failed)
        percent = self.finished * 100 // self.total
        if percent > self._shown or self.finished == self.total:
            self._show(update=True)

    def _show(self, update):
        self._shown = self.finished * 100 // self.total
        payload = {
            "program": self.program,
            "total": self.total,
            "finished": self.finished,
            "failed": self.failed,
        }
        failures = f", {self.failed} failed" if self.failed else ""
        text = f"{self.finished}/{self.total} programs{failures}"
        display({BATCH_MIME: payload, "text/plain": text}, self._id, update)
