"""Transport of the WebAssembly guest: JSON strings handed to the worker's JavaScript.

Blocking is stack switching: ``run_sync`` suspends only the Python stack that waits, so other program
bodies go on. Each wait is known to the worker, which ends all of them when the cell is interrupted.

An interrupt reaches this module in one of two ways, and exactly one of them claims it: Python's SIGINT
handler raises it in user code that computes, or the worker wakes the stacks that wait.
"""

import asyncio
import itertools
import json
import signal

import _sgl_json
import _sgl_js as _worker  # registered by the worker before this import
import pyodide.ffi
import pyodide.webloop
from pyodide.ffi import run_sync as _suspend

# What a wait resolves to when the cell was interrupted; never valid JSON and never a user's value.
_INTERRUPTED = "\0interrupted"

# Greater than zero inside this module, where a SIGINT must not raise: the worker asks again.
_shield = 0

# Called before every wait, so that what was printed is seen while the cell waits.
on_wait = None
# Gives folder and environment for the programs that a cell starts.
process_context = None
# Called on the new stack of every body: a debugger traces it.
on_body = None


class BridgeError(RuntimeError):
    """An answer of the kernel that is an error; ``python_type`` names the exception class it stands for."""

    def __init__(self, python_type, message):
        super().__init__(message)
        self.python_type = python_type
        self.message = message


def _is_event_loop(file_name):
    return "webloop" in file_name or "_future_helper" in file_name or "/_pyodide/" in file_name


def _on_sigint(_signal, frame):
    """Raises in user code only: in the event loop's own frames the exception would be lost."""
    if _shield:
        return
    while frame is not None:
        file_name = frame.f_code.co_filename
        if file_name.startswith("<") and "#" in file_name:  # a cell
            if _worker.claim_interrupt():
                _worker.end_waits()
                raise KeyboardInterrupt
            return
        if _is_event_loop(file_name):
            return
        frame = frame.f_back


def post(message):
    global _shield
    _shield += 1
    try:
        _worker.post(_sgl_json.encode(message))
    finally:
        _shield -= 1


def _wait(start, *arguments):
    """Starts something of the worker's and suspends this stack until its promise settles."""
    global _shield
    if on_wait is not None:
        on_wait()
    before = _shield
    _shield += 1
    try:
        interrupts = _worker.interrupts()
        promise = start(*arguments)
        _shield = 0  # the other stacks run while this one is suspended
        frame = _worker.suspend_frame()  # the collector must not look into a suspended stack
        try:
            value = _suspend(promise)
        finally:
            _worker.resume_frame(frame)
    finally:
        _shield = before
    # The count tells of an interrupt that came when this wait had settled but not yet gone on.
    if interrupts != _worker.interrupts() or (type(value) is str and value == _INTERRUPTED):
        raise KeyboardInterrupt
    return value


def call(message):
    if message["op"] == "spawn_process" and process_context is not None:
        message = {**message, **process_context()}
    answer = json.loads(_wait(_worker.call, _sgl_json.encode(message)))
    if "error" in answer:
        error = answer["error"]
        if error["pythonType"] == "KeyboardInterrupt":
            raise KeyboardInterrupt
        raise BridgeError(error["pythonType"], error["message"])
    return answer["ok"]


async def call_async(message):
    if on_wait is not None:
        on_wait()
    value = await _worker.call(_sgl_json.encode(message))
    if type(value) is str and value == _INTERRUPTED:
        raise asyncio.CancelledError
    answer = json.loads(value)
    if "error" in answer:
        raise BridgeError(answer["error"]["pythonType"], answer["error"]["message"])
    return answer["ok"]


_bodies = {}
_body_ids = itertools.count(1)


def run_body(body_id):
    """Entered from JavaScript on a stack of its own."""
    _bodies.pop(body_id)()


class _Task:
    def __init__(self, function):
        self._error = None
        self._ended = False
        self._joined = False
        self._id = next(_body_ids)
        interrupts = _worker.interrupts()

        def body():
            try:
                if interrupts != _worker.interrupts():  # a body queued before an interrupt never starts
                    raise KeyboardInterrupt
                if on_body is not None:
                    on_body()
                function()
            except BaseException as error:
                self._error = error
            finally:
                self._ended = True

        _bodies[self._id] = body
        _worker.spawn(self._id)

    def done(self):
        return self._ended

    def join(self):
        if not self._joined:
            _wait(_worker.body_end, self._id)
            self._joined = True
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def spawn(function):
    return _Task(function)


def join_all(tasks):
    first = None
    for task in tasks:
        try:
            task.join()
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


def run_coro(coroutine):
    async def settle():
        try:
            return True, await coroutine
        except BaseException as error:
            return False, error

    task = asyncio.ensure_future(settle())
    try:
        succeeded, value = _wait(_worker.track, task)
    except KeyboardInterrupt:
        task.cancel()
        raise KeyboardInterrupt().with_traceback(_cancelled_at(task)) from None
    if not succeeded:
        raise value
    return value


def _cancelled_at(task):
    """Waits until a cancelled task has ended; where in the user's code it was."""
    try:
        _, error = _wait(_worker.track, task)
    except Exception:
        return None  # it was cancelled before it began
    return error.__traceback__ if isinstance(error, BaseException) else None


def _interruptible_run_sync(awaitable):
    """``run_sync`` for everybody else: ``time.sleep``, ``asyncio.run`` and libraries."""
    if isinstance(awaitable, pyodide.ffi.JsProxy):
        return _wait(_worker.track, awaitable)
    # Not as a promise: what is raised would come back as an exception of JavaScript.
    return run_coro(awaitable)


def real_path(path):
    return _worker.real_path(path)


def may_wait():
    """Whether a debugger may hold this stack here: not inside this module, nor below JavaScript."""
    return _shield == 0 and pyodide.ffi.can_run_sync()


def next_control():
    """A debugger's command that came while Python computes, or None."""
    return _worker.next_control()


def install():
    signal.signal(signal.SIGINT, _on_sigint)
    asyncio.get_event_loop()._keyboard_interrupt_handler = _worker.end_waits
    pyodide.ffi.run_sync = _interruptible_run_sync
    pyodide.webloop.run_sync = _interruptible_run_sync
