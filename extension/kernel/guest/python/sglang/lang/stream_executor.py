"""The kernel's program states, as this package names and asks them."""

import contextvars
import itertools
import weakref

from sglang import _transport
from sglang._errors import cause_of

_sids = itertools.count(1)

# The states whose bodies run in this context: their own reads must not wait for the body's end.
bodies = contextvars.ContextVar("sglang_bodies", default=frozenset())


class StreamExecutor:
    """What SGLang programs reach through ``state.stream_executor``. A view on the kernel's state."""

    def __init__(self, backend, stream=False, use_thread=True):
        self.sid = next(_sids)
        self.backend = backend
        self.stream = stream
        self.use_thread = use_thread
        # Values that only Python knows: what the program set itself, and joined lists.
        self.local = {}
        # The body of a streamed run, until it was joined.
        self.task = None
        weakref.finalize(self, _transport.drop_later, self.sid).atexit = False

    def call(self, op, **fields):
        return _transport.call({"op": op, "sid": self.sid, **fields})

    async def call_async(self, op, **fields):
        return await _transport.call_async({"op": op, "sid": self.sid, **fields})

    def post(self, op, **fields):
        _transport.post({"op": op, "sid": self.sid, **fields})

    @property
    def in_body(self):
        return self.sid in bodies.get()

    def wait_for_body(self):
        """Waits for the body of a streamed run; what it raised is raised here, once."""
        if self.task is not None and not self.in_body:
            task = self.task
            task.join()
            self.task = None

    @property
    def variables(self):
        return {**self.call("variables"), **self.local}

    @property
    def meta_info(self):
        return self.call("metas")

    @property
    def text_(self):
        return self.call("snapshot")["text"]

    @property
    def messages_(self):
        return self.call("messages")

    @property
    def is_finished(self):
        snapshot = self.call("snapshot")
        return snapshot["finished"] or snapshot["state"]["error"] is not None

    @property
    def chat_template(self):
        return self.backend.chat_template

    def get_meta_info(self, name, timeout=None):
        return self.call("meta", name=name, timeout=timeout)

    def sync(self):
        self.call("sync")

    def text(self):
        return self.call("text")

    def messages(self):
        return self.call("messages")

    def error(self):
        error = self.call("error")
        return None if error is None else cause_of(error)
