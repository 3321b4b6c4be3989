"""The kernel's program states, as this package names and asks them."""

import contextvars
import functools
import itertools
import weakref

from sglang import _transport
from sglang._errors import cause_of
from sglang.lang.choices import OwnSelect, decide_own
from sglang.lang.ir import is_name, wire_list

_sids = itertools.count(1)
# Calls that wait for what a body has appended, or for its end.
_WAITING = {"sync", "text", "messages", "error", "fork", "join", "next"}

# The states whose bodies run in this context: their own reads must not wait for the body's end.
bodies = contextvars.ContextVar("sglang_bodies", default=frozenset())


class StreamExecutor:
    """What SGLang programs reach through ``state.stream_executor``. A view on the kernel's state.

    Made as here, it is a state of its own: ``ProgramState(StreamExecutor(backend, {}, SglSamplingParams(), None,
    stream=False))``. ``chat_template`` only holds for it.
    """

    def __init__(
        self,
        backend,
        arguments,
        default_sampling_para,
        chat_template,
        stream,
        num_api_spec_tokens=None,
        use_thread=True,
    ):
        self._view(getattr(backend, "endpoint", backend), stream, use_thread)
        self.arguments = arguments
        self.default_sampling_para = default_sampling_para
        options = {} if chat_template is None else {"template": chat_template.wire()}
        self.new(None, default_sampling_para.wire(), num_api_spec_tokens, **options)

    @classmethod
    def view(cls, backend, stream=False, use_thread=True):
        """A state that the kernel is told of by ``new``, or by a fork."""
        executor = cls.__new__(cls)
        executor._view(backend, stream, use_thread)
        return executor

    def _view(self, backend, stream, use_thread):
        self.sid = next(_sids)
        self.backend = backend
        self.stream = stream
        self.use_thread = use_thread
        self.arguments = {}
        # Values that only Python knows: what the program set itself, and joined lists.
        self.local = {}
        # What choice methods of the program's own told about their decisions, and what one raised.
        self.own_meta = {}
        self.own_error = None
        # The body of a streamed run, until it was joined.
        self.task = None
        weakref.finalize(self, _transport.drop_later, self.sid).atexit = False

    def new(self, program, sampling, speculate=None, **options):
        """Tells the kernel that a state begins."""
        _transport.flush_dropped()
        if speculate is not None:
            options["speculate"] = int(speculate)
        backend = self.backend.id
        self.post("new", backend=backend, program=program, stream=self.stream, sampling=sampling, **options)

    def submit(self, expr):
        """Appends an expression or text."""
        exprs = wire_list(expr)
        for item in exprs:
            if item["t"] in ("gen", "select", "scope_end"):
                self.local.pop(item["name"], None)
                self.own_meta.pop(item["name"], None)
        try:
            self.post("submit", exprs=exprs)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{expr!r} cannot be sent to a server: {error}") from None
        for item in exprs:
            if isinstance(item, OwnSelect):
                _transport.spawn(functools.partial(decide_own, self, item))
        if not self.use_thread:
            self.sync()
            error = self.error()
            if error is not None:
                raise error

    def children(self, size):
        """Executors for the kernel to fork into."""
        children = [StreamExecutor.view(self.backend, self.stream, self.use_thread) for _ in range(size)]
        for child in children:
            child.arguments = self.arguments
            child.local.update(self.local)
        return children

    def fork(self, size=1, position_ids_offset=None):
        """A list of ``size`` executors that go on from here."""
        children = self.children(size)
        self.call("fork", ids=[child.sid for child in children])
        return children

    def end(self):
        """Nothing more will be appended; iterators over the text end."""
        self.post("end", error=None)

    def call(self, op, **fields):
        if op in _WAITING and _transport.patience.get() is not None:
            if op == "text":
                return self.text_
            self._refuse_to_wait()
        return _transport.call({"op": op, "sid": self.sid, **fields})

    async def call_async(self, op, **fields):
        return await _transport.call_async({"op": op, "sid": self.sid, **fields})

    def post(self, op, **fields):
        _transport.post({"op": op, "sid": self.sid, **fields})

    def __copy__(self):
        """Copies of a state are views on the same one, which lives as long as any of them."""
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError(
            "a program's state lives in this kernel and cannot be pickled: keep state.text(), state.messages() or values"
        )

    def wait_briefly(self, name):
        """For readers that hold up what they look at. RuntimeError when the value is still to come."""
        seconds = _transport.patience.get()
        try:
            if not seconds:
                raise TimeoutError
            if name not in self.variables:
                self.call("meta", name=name, timeout=seconds)
        except TimeoutError:
            raise RuntimeError(f"{name!r} is not generated yet") from None

    def _refuse_to_wait(self):
        if not _transport.patience.get() or not self.is_finished:
            raise RuntimeError("this waits for the program, which goes on only after the debugger")

    @property
    def in_body(self):
        return self.sid in bodies.get()

    def wait_for_body(self):
        """Waits for the body of a streamed run; what it raised is raised here, once."""
        if _transport.patience.get() is not None:
            return
        if self.task is not None and not self.in_body:
            task = self.task
            task.join()
            self.task = None

    @property
    def variables(self):
        return {**self.call("variables"), **self.local}

    @property
    def meta_info(self):
        return {**self.call("metas"), **self.own_meta}

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

    @property
    def variable_event(self):
        """``variable_event[name].wait()`` waits until a variable has its value, or never gets one."""
        return _Events(self, {name: _VariableEvent(self, name) for name in {**self.meta_info, **self.variables}})

    def get_var(self, name):
        from sglang.lang.interpreter import ProgramState

        return ProgramState(self).get_var(name)

    def set_var(self, name, value):
        from sglang.lang.interpreter import ProgramState

        ProgramState(self).set_var(name, value)

    def get_meta_info(self, name, timeout=None):
        if not is_name(name):
            return None
        return self.own_meta.get(name, self.call("meta", name=name, timeout=timeout))

    def sync(self):
        self.call("sync")

    def text(self):
        return self.call("text")

    def messages(self):
        return self.call("messages")

    def error(self):
        error = self.call("error")
        return None if error is None else self.own_error or cause_of(error)

    @property
    def error_(self):
        return self.error()


class _VariableEvent:
    """What SGLang's programs use of a variable's ``threading.Event``."""

    def __init__(self, executor, name):
        self._executor = executor
        self._name = name

    def is_set(self):
        return self._name in self._executor.variables

    def wait(self, timeout=None):
        try:
            self._executor.get_meta_info(self._name, timeout)
        except TimeoutError:
            return False
        return True


class _Events(dict):
    def __init__(self, executor, events):
        super().__init__(events)
        self._executor = executor

    def __missing__(self, name):
        """Of a variable that is still to be generated."""
        return _VariableEvent(self._executor, name)
