"""Results of concurrent work, as they finish, in the order of what they are for."""

import threading

from sglang import _transport

# How many items may be done before the caller has taken those before them.
_AHEAD = 200


def in_order(work, total, most):
    """Yields ``work(0)``, ``work(1)``, …, each as soon as it and those before it are done.

    At most ``most`` run at once. What one raises is raised at its place; then, or when the generator
    is closed, nothing more is begun.
    """
    queue = _Queue(work, total, most)
    try:
        for index in range(total):
            queue.fill()
            queue.tasks.pop(index).join()
            yield queue.results.pop(index)
            queue.taken = index + 1
    finally:
        queue.closed = True


class _Queue:
    def __init__(self, work, total, most):
        self._work = work
        self._total = total
        self._most = most
        self._next = 0
        self._running = 0
        self._lock = threading.RLock()
        self.taken = 0
        self.closed = False
        self.tasks = {}
        self.results = {}

    def fill(self):
        """Begins what may be begun. Whoever takes an item has called this: so its task is there."""
        with self._lock:
            end = min(self._total, self.taken + _AHEAD)
            while not self.closed and self._running < self._most and self._next < end:
                index = self._next
                self._next += 1
                self._running += 1
                self.tasks[index] = _transport.spawn(lambda index=index: self._run(index))

    def _run(self, index):
        try:
            self.results[index] = self._work(index)
        except BaseException:
            self.closed = True
            raise
        finally:
            with self._lock:
                self._running -= 1
            self.fill()
