"""What a program would send, without sending it: its body runs on a state that only takes notes.

A value that would be generated is a placeholder, ``⟨name⟩``; of choices it is the first one. Nothing
here waits or calls the kernel, so that the answer may be given while a cell runs.
"""

import contextlib
import contextvars
import io

from sglang.lang.interpreter import ProgramState
from sglang.lang.ir import SglExprList, SglRoleBegin, SglRoleEnd, wire_list
from sglang.lang.state_group import ProgramStateGroup

# A loop that goes on until the model says so would never end on placeholders.
_MOST_STEPS = 2_000

_active = contextvars.ContextVar("sglang_preview", default=False)


class PreviewEnd(Exception):
    """The rest of the program depends on what a model generates."""


def refuse_in_preview():
    """Ends a preview whose program would generate something by another way than its own state."""
    if _active.get():
        raise PreviewEnd("it runs another program here, which a preview does not do")


class PreviewState(ProgramState):
    """Stands for ``s``: keeps the expressions, answers reads with placeholders."""

    def __init__(self, steps, parent=None):
        self._steps = steps
        self.exprs = []
        self.forks = []
        self.values = {} if parent is None else dict(parent.values)
        self.assumed = [] if parent is None else parent.assumed
        self.ret_value = None

    def _step(self):
        self._steps[0] += 1
        if self._steps[0] > _MOST_STEPS:
            raise PreviewEnd(f"it did not end after {_MOST_STEPS} steps; a loop may wait for a generated value")

    def _submit(self, expr):
        self._step()
        for item in wire_list(expr):
            if item["t"] == "bad":
                raise PreviewEnd(item["error"]["message"])
            self.exprs.append(item)
            if item["t"] in ("gen", "select"):
                self._define(item)

    def _define(self, item):
        name = item["name"]
        if name is None:
            return
        value = _placeholder(item)
        count = item.get("sampling", {}).get("n") or 1
        self.values[name] = value if count == 1 else [value] * count
        if not value.startswith("⟨"):
            self.assumed.append([name, value])

    def __iadd__(self, other):
        if other is None:
            raise ValueError("Tried to append None to state.")
        self._submit(other)
        return self

    def _role(self, name, expr):
        if expr is not None:
            self._submit(SglExprList([SglRoleBegin(name), expr, SglRoleEnd(name)]))
            return None

        @contextlib.contextmanager
        def scope():
            self._submit(SglRoleBegin(name))
            yield
            self._submit(SglRoleEnd(name))

        return scope()

    def system(self, expr=None):
        return self._role("system", expr)

    def user(self, expr=None):
        return self._role("user", expr)

    def assistant(self, expr=None):
        return self._role("assistant", expr)

    @contextlib.contextmanager
    def var_scope(self, name):
        yield
        self.values[name] = f"⟨{name}⟩"

    def fork(self, size=1, position_ids_offset=None):
        children = [PreviewState(self._steps, self) for _ in range(size)]
        self.forks.append({"after": len(self.exprs), "states": children})
        return _PreviewGroup(children, self)

    @contextlib.contextmanager
    def copy(self, position_ids_offset=None):
        group = self.fork(1)
        yield group[0]
        group.join()

    def get_var(self, name):
        self._step()
        if name not in self.values:
            raise PreviewEnd(f"it reads {name!r}, which nothing has set here")
        return self.values[name]

    __getitem__ = get_var

    def set_var(self, name, value):
        self.values[name] = value

    __setitem__ = set_var

    def __contains__(self, name):
        self._step()
        return name in self.values

    def get_meta_info(self, name):
        raise PreviewEnd(f"it reads what the server tells about {name!r}")

    def text(self):
        raise PreviewEnd("it reads its own text, which holds generated values")

    messages = text

    def sync(self):
        self._step()

    def error(self):
        return None

    def text_iter(self, var_name=None):
        raise PreviewEnd("it streams its own text")

    text_async_iter = text_iter

    def __repr__(self):
        raise PreviewEnd("it shows its own text")

    def wire(self):
        """The expressions, and the forks with the place where each group begins."""
        forks = [{"after": group["after"], "states": [s.wire() for s in group["states"]]} for group in self.forks]
        return {"exprs": self.exprs, "forks": forks}


class _PreviewGroup(ProgramStateGroup):
    def join(self, mode="gather_variable"):
        parent = self.src_state
        if mode == "concate_and_append":
            for state in self.states:
                parent.exprs.extend(state.exprs)
            return
        new = dict.fromkeys(name for s in self.states for name in s.values if name not in parent.values)
        for name in new:
            parent.values[name] = [s.values[name] for s in self.states if name in s.values]


class _AsyncPreviewState(PreviewState):
    """``s`` of a coroutine: what would be awaited is there at once."""

    async def get_var(self, name):
        return PreviewState.get_var(self, name)

    __getitem__ = get_var

    async def sync(self):
        PreviewState.sync(self)

    async def text(self):
        return PreviewState.text(self)

    messages = text

    async def get_meta_info(self, name):
        return PreviewState.get_meta_info(self, name)

    async def fork(self, size=1, position_ids_offset=None):
        children = [_AsyncPreviewState(self._steps, self) for _ in range(size)]
        self.forks.append({"after": len(self.exprs), "states": children})
        return _AsyncPreviewGroup(children, self)

    @contextlib.asynccontextmanager
    async def copy(self, position_ids_offset=None):
        group = await self.fork(1)
        yield group[0]
        await group.join()


class _AsyncPreviewGroup(_PreviewGroup):
    async def join(self, mode="gather_variable"):
        _PreviewGroup.join(self, mode)


def _run(program, state, arguments):
    result = program.func(state, **{**arguments, **program.bind_arguments})
    if not program.is_async:
        return
    try:
        result.send(None)
    except StopIteration:
        return
    result.close()
    raise PreviewEnd("it awaits something else than its own state")


def _placeholder(item):
    if item["t"] == "select":
        return str(item["choices"][0]) if item["choices"] else f"⟨{item['name']}⟩"
    return {"int": "0", "float": "0.0", "bool": "True"}.get(item["sampling"].get("dtype"), f"⟨{item['name']}⟩")


def preview(program, arguments):
    """Expressions, assumptions and where the preview stopped, if it did not come to the end."""
    state = _AsyncPreviewState([0]) if program.is_async else PreviewState([0])
    ended = None
    token = _active.set(True)
    try:
        # What the body prints would appear in the wrong place.
        with contextlib.redirect_stdout(io.StringIO()):
            _run(program, state, arguments)
    except PreviewEnd as end:
        ended = str(end)
    except Exception as error:
        if isinstance(error, TypeError) and not state.exprs and "argument" in str(error):
            raise  # the arguments do not fit the program
        ended = f"it raises {type(error).__name__}: {error}"
    finally:
        _active.reset(token)
    return {**state.wire(), "assumed": state.assumed, "ended": ended, **_backend()}


def _backend():
    """The template and server that a run would use, as far as they are connected already."""
    from sglang.lang import function

    backend = function.global_config.default_backend or function._kernel_default
    backend = getattr(backend, "endpoint", backend)
    template = getattr(backend, "_template", None)
    return {
        "template": None if template is None else template.wire(),
        "url": getattr(backend, "base_url", None),
        "model": backend.get_model_name() if backend is not None else None,
    }
