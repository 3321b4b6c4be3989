"""Programs that are coroutines: ``async def``, with ``await s["x"]``. An extension of SGLang's language."""

import asyncio
import contextlib
import os
import time

from sglang._errors import cause_of, unset
from sglang.lang.interpreter import ProgramState, in_background, new_state, run_body
from sglang.lang.ir import is_name
from sglang.lang.state_group import ProgramStateGroup, check_mode, value_of
from sglang.lang.stream_executor import bodies


class AsyncProgramState(ProgramState):
    """``s`` of a coroutine: what waits in ``ProgramState`` is awaited here."""

    async def get_var(self, name):
        executor = self.stream_executor
        if name in executor.local:
            return value_of(executor.local[name])
        if not is_name(name):
            raise unset(name, list(await executor.call_async("variables")))
        return self._value(name, False, await executor.call_async("get", name=name, outer=False))

    def __getitem__(self, name):
        return self.get_var(name)

    async def get_meta_info(self, name):
        executor = self.stream_executor
        meta = await executor.call_async("meta", name=name, timeout=None)
        return executor.own_meta.get(name, meta)

    async def text(self):
        return await self.stream_executor.call_async("text")

    async def messages(self):
        return await self.stream_executor.call_async("messages")

    async def sync(self):
        await self.stream_executor.call_async("sync")

    async def fork(self, size=1, position_ids_offset=None):
        children = self.stream_executor.children(size)
        await self.stream_executor.call_async("fork", ids=[child.sid for child in children])
        group = self._group(children)
        return AsyncProgramStateGroup(group.states, self)

    @contextlib.asynccontextmanager
    async def copy(self, position_ids_offset=None):
        group = await self.fork(1, position_ids_offset)
        try:
            yield group[0]
        finally:
            await group.join()

    def __repr__(self):
        return f"AsyncProgramState({self.stream_executor.sid})"


class AsyncProgramStateGroup(ProgramStateGroup):
    """Forks of a coroutine's state."""

    async def join(self, mode="gather_variable"):
        check_mode(mode)
        parent = self.src_state.stream_executor
        existing = {**await parent.call_async("variables"), **parent.local}
        answers = await parent.call_async("join", ids=self._ids(), mode=mode)
        self._joined(set(existing), answers, mode)


async def run_async(program, backend, sampling, args, arguments):
    """Runs a program, coroutine or not, without blocking the event loop; its state when it is done."""
    state = new_state(program.__name__, backend, sampling, False, True, program.num_api_spec_tokens)
    try:
        if program.is_async:
            await _run_coroutine(program, state, args, arguments)
        else:
            await in_background(lambda: run_body(program, state, args, arguments))
        await state.stream_executor.call_async("sync")
    except asyncio.CancelledError:
        state.stream_executor.post("cancel")  # nobody gets the state
        raise
    return state


async def _run_coroutine(program, state, args, arguments):
    executor = state.stream_executor
    token = bodies.set(bodies.get() | {executor.sid})
    error = None
    try:
        state.ret_value = await program.func(AsyncProgramState(executor), *args, **arguments)
    except BaseException as problem:
        program.explain(problem, arguments)
        error = {"type": type(problem).__name__, "message": str(problem)}
        raise
    finally:
        bodies.reset(token)
        executor.post("end", error=error)


async def run_batch_async(run_one, batch, num_threads, progress):
    """Runs ``run_one(arguments)`` for every item, so many at a time; the states in the items' order."""
    limit = asyncio.Semaphore(max(96, (os.cpu_count() or 1) * 16) if num_threads == "auto" else max(1, num_threads))

    async def one(index, arguments):
        async with limit:
            began = time.monotonic()
            state = await run_one(arguments)
            if progress is not None:
                error = await state.stream_executor.call_async("error")
                values = await state.stream_executor.call_async("variables")
                cause = None if error is None else cause_of(error)
                progress.step(index, arguments, values, cause, time.monotonic() - began)
            return state

    found = await asyncio.gather(*[one(index, arguments) for index, arguments in enumerate(batch)], return_exceptions=True)
    for item in found:
        if isinstance(item, BaseException):
            raise item
    return found
