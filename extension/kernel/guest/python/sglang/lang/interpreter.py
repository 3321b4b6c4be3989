"""Program states, as programs see them. Text, messages and generated values live in the kernel."""

import asyncio
import contextlib
import math

from sglang import _transport
from sglang._display import STATE_MIME
from sglang._errors import failed, unset
from sglang.lang.ir import (
    SglExprList,
    SglRoleBegin,
    SglRoleEnd,
    SglVarScopeBegin,
    SglVarScopeEnd,
    is_name,
)
from sglang.lang.state_group import ProgramStateGroup, value_of
from sglang.lang.stream_executor import StreamExecutor, bodies


class ProgramState:
    """One run of a program: append with ``+=``, read values with ``state[name]``."""

    def __init__(self, stream_executor):
        self.stream_executor = stream_executor
        self.ret_value = None

    # -------------------------------------------------------------- appending

    def __iadd__(self, other):
        if other is None:
            raise ValueError("Tried to append None to state.")
        self._submit(other)
        return self

    def _submit(self, expr):
        self.stream_executor.submit(expr)

    def _role(self, name, expr):
        if expr is not None:
            role_expr = SglExprList([SglRoleBegin(name), expr, SglRoleEnd(name)])
            self._submit(role_expr)
            return role_expr

        @contextlib.contextmanager
        def role_scope():
            self._submit(SglRoleBegin(name))
            yield
            self._submit(SglRoleEnd(name))

        return role_scope()

    def system(self, expr=None):
        """Appends a system message, or opens one as a context manager."""
        return self._role("system", expr)

    def user(self, expr=None):
        """Appends a user message, or opens one as a context manager."""
        return self._role("user", expr)

    def assistant(self, expr=None):
        """Appends an assistant message, or opens one as a context manager."""
        return self._role("assistant", expr)

    @contextlib.contextmanager
    def var_scope(self, name):
        """The text appended inside becomes the variable ``name``."""
        self._submit(SglVarScopeBegin(name))
        yield
        self._submit(SglVarScopeEnd(name))

    # -------------------------------------------------------------- forking

    def fork(self, size=1, position_ids_offset=None):
        """``size`` states that go on from here in parallel; ``position_ids_offset`` is ignored."""
        return self._group(self.stream_executor.fork(size))

    def _group(self, children):
        if self.stream_executor.in_body:
            bodies.set(bodies.get() | {child.sid for child in children})
        return ProgramStateGroup([type(self)(child) for child in children], self)

    @contextlib.contextmanager
    def copy(self, position_ids_offset=None):
        """A fork for the ``with`` block; its new variables come back as lists of one, as in SGLang."""
        group = self.fork(1, position_ids_offset)
        try:
            yield group[0]
        finally:
            group.join()

    # -------------------------------------------------------------- reading

    def get_var(self, name):
        """The value of a variable, waiting for it if it is being generated.

        Raises KeyError for a variable that the program never defines, and GenerationError, which is
        a KeyError with its cause, for one whose generation failed.
        """
        executor = self.stream_executor
        if name in executor.local:
            return value_of(executor.local[name])
        if not is_name(name):
            raise unset(name, list(executor.variables))
        outer = executor.stream and not executor.in_body
        if _transport.patience.get() is not None:
            executor.wait_briefly(name)
            outer = False
        return self._value(name, outer, executor.call("get", name=name, outer=outer))

    def _value(self, name, outer, reply):
        """The value in the kernel's answer about a variable."""
        executor = self.stream_executor
        if reply["status"] == "value":
            return reply["value"]
        if outer:
            executor.wait_for_body()
        if name in executor.local:
            return value_of(executor.local[name])
        if reply["status"] == "failed":
            raise failed(name, reply["error"], executor.own_error)
        raise unset(name, list(dict.fromkeys([*reply["known"], *executor.local])))

    def __getitem__(self, name):
        return self.get_var(name)

    def set_var(self, name, value):
        executor = self.stream_executor
        executor.local[name] = value
        if isinstance(name, str) and _shown(value):
            executor.post("set", name=name, value=value)

    def __setitem__(self, name, value):
        self.set_var(name, value)

    def __contains__(self, name):
        return name in self.stream_executor.variables

    def get_meta_info(self, name):
        """What the server told about a gen, or None."""
        return self.stream_executor.get_meta_info(name)

    def text(self):
        """The whole text, template included, once everything appended is done."""
        self.stream_executor.wait_for_body()
        return self.stream_executor.text()

    def messages(self):
        """The messages with their roles, once everything appended is done."""
        self.stream_executor.wait_for_body()
        return self.stream_executor.messages()

    def sync(self):
        """Waits until everything appended is done."""
        self.stream_executor.wait_for_body()
        self.stream_executor.sync()

    def error(self):
        """The exception that ended this state, or None. Waits like ``sync``."""
        executor = self.stream_executor
        if executor.task is not None and not executor.in_body:
            try:
                executor.wait_for_body()
            except Exception as error:
                executor.task = None
                return error
        return executor.error()

    # -------------------------------------------------------------- streaming

    def text_iter(self, var_name=None):
        """Yields the text, or one variable, piece by piece while it is generated.

        After the last piece it raises what ended the program, if something did.
        """
        request = self._first_request(var_name)
        if var_name is not None and not self.stream_executor.stream:
            yield self.get_var(var_name)
            return
        while True:
            answer = self.stream_executor.call("next", **request)
            piece = self._take(request, answer)
            if piece or (answer["done"] and request.pop("first", False)):
                request["first"] = False
                yield piece
            if answer["done"]:
                break
        self._finish_iteration(var_name, answer)

    async def text_async_iter(self, var_name=None, return_meta_data=False):
        """As ``text_iter``, for ``async for``; with ``return_meta_data`` pairs (piece, meta info)."""
        request = self._first_request(var_name)
        with_meta = return_meta_data and var_name is not None
        while True:
            answer = await self.stream_executor.call_async("next", **request)
            piece = self._take(request, answer)
            if piece or (answer["done"] and request.pop("first", False)):
                request["first"] = False
                yield (piece, answer["meta"]) if with_meta else piece
            if answer["done"]:
                break
        await in_background(lambda: self._finish_iteration(var_name, answer))

    def _first_request(self, var_name):
        return {"name": var_name, "whole": var_name is None, "position": 0, "first": True}

    def _take(self, request, answer):
        if answer["piece"]:
            request["first"] = False
        request["position"] = answer["position"]
        return answer["piece"]

    def _finish_iteration(self, var_name, answer):
        if answer["error"] is not None:
            self.stream_executor.wait_for_body()
            raise failed(var_name, answer["error"])
        if var_name is None:
            self.stream_executor.wait_for_body()

    # -------------------------------------------------------------- showing

    def _repr_mimebundle_(self, include=None, exclude=None):
        try:
            self.sync()
        except Exception:  # the payload tells the error
            pass
        snapshot = self.stream_executor.call("snapshot")
        return {STATE_MIME: snapshot["state"], "text/plain": f"ProgramState({snapshot['text']})"}

    def __repr__(self):
        if _transport.patience.get() is not None:
            return f"<{type(self).__name__}>"
        return f"ProgramState({self.text()})"


def _shown(value):
    """Whether the kernel can keep a value, too. JSON has no NaN and no infinity."""
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def run_body(program, state, args, kwargs):
    """Runs the Python function of a program on a state; tells the kernel when it is over."""
    executor = state.stream_executor
    token = bodies.set(bodies.get() | {executor.sid})
    error = None
    try:
        state.ret_value = program.func(state, *args, **kwargs)
    except BaseException as problem:
        program.explain(problem, kwargs)
        error = {"type": type(problem).__name__, "message": str(problem)}
        raise
    finally:
        bodies.reset(token)
        executor.post("end", error=error)
    return state


def new_state(program_name, backend, sampling, stream, use_thread, speculate=None):
    """An empty state on a backend, with the sampling parameters of its run."""
    executor = StreamExecutor.view(backend, stream, use_thread)
    executor.new(program_name, sampling, speculate)
    return ProgramState(executor)


async def in_background(work):
    """Awaits ``work()``, which blocks, without blocking the event loop."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(method, value):
        if not future.done():
            method(value)

    def body():
        try:
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, future.set_exception, error)
        else:
            loop.call_soon_threadsafe(settle, future.set_result, result)

    _transport.spawn(body)
    return await future


def __getattr__(name):
    """SGLang's functions behind ``run``."""
    if name in ("run_program", "run_program_batch", "run_internal", "cache_program"):
        from sglang.lang import run_program

        return getattr(run_program, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
