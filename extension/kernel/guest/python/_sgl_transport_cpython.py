"""Transport of the CPython guest: frames over the process's first stdin and stdout; threads wait.

A frame is a little-endian 32-bit length and that many bytes of JSON. Prints of C code that go to file
descriptor 1 are sent to stderr, which the kernel shows.
"""

import asyncio
import ctypes
import itertools
import json
import os
import queue
import signal
import struct
import sys
import threading
import time
import _thread

import _sgl_json

_LENGTH = struct.Struct("<I")
# Seconds between two signals for one interrupt.
_KNOCK_INTERVAL = 0.01
_input = None
_output = None
_write_lock = threading.Lock()
_call_ids = itertools.count(1)
_waiting = {}
_bodies = set()
_epoch = 0
_requests = queue.SimpleQueue()
_busy = False
_loop = None
# Greater than zero while the main thread writes a frame, which must not be cut off by an interrupt.
_shield = 0
# A signal came while the shield was up.
_late = False
# Whether an interrupt still waits for a place in the main thread where it can be raised.
_pending = threading.Event()
# Whether the event loop runs for the cell: while all its tasks wait, no frame of the cell is below.
_awaiting = False

# This process was forked from the guest: the pipes are its parent's.
_orphaned = False
# The thread that reads from the kernel: it would wait for what only it can read.
_reader = None

# Called before every wait, so that what was printed is seen while the cell waits.
on_wait = None
# Gives folder and environment for the programs that a cell starts.
process_context = None
# Not called here, where new threads tell a debugger themselves.
on_body = None


class BridgeError(RuntimeError):
    """An answer of the kernel that is an error; ``python_type`` names the exception class it stands for."""

    def __init__(self, python_type, message):
        super().__init__(message)
        self.python_type = python_type
        self.message = message


def _send(message):
    global _shield
    data = _sgl_json.encode(message).encode()
    frame = _LENGTH.pack(len(data)) + data
    if threading.current_thread() is not threading.main_thread():
        _write(frame)
        return
    _shield += 1
    try:
        _write(frame)
    finally:
        _shield -= 1
    if _late:
        _raise_pending(sys._getframe())


def _write(frame):
    if _orphaned:
        raise RuntimeError(
            "A process that was forked from the notebook's Python, as those of multiprocessing are, cannot reach the "
            "kernel: no SGLang programs and no input() there. Use run_batch(num_threads=…) or threads."
        )
    view = memoryview(frame)
    with _write_lock:
        while view:
            view = view[os.write(_output, view) :]


def _on_sigint(_signal, frame):
    global _late
    if _shield:
        _late = True
    else:
        _raise_pending(frame)


def _raise_pending(frame):
    """Raises where the cell's code is below. Elsewhere the kernel's own work would be cut off; there
    the interrupt stays pending, and the signal comes again."""
    global _late
    _late = False
    if not _pending.is_set():
        return
    raisable = _awaiting
    while frame is not None and not raisable:
        file_name = frame.f_code.co_filename
        raisable = file_name.startswith("<") and "#" in file_name  # a cell
        frame = frame.f_back
    if raisable:
        _pending.clear()
        raise KeyboardInterrupt


def post(message):
    if _orphaned:
        _post_orphaned(message)
    else:
        _send({"type": "post", "message": message})


def call(message):
    if threading.current_thread() is _reader:
        raise RuntimeError("a question from outside does not wait for the kernel")
    if on_wait is not None:
        on_wait()
    if message["op"] == "spawn_process" and process_context is not None:
        message = {**message, **process_context()}
    call_id = next(_call_ids)
    answers = _waiting[call_id] = queue.SimpleQueue()
    try:
        _send({"type": "call", "id": call_id, "message": message})
        answer = _take(answers)
    finally:
        _waiting.pop(call_id, None)
    if "error" in answer:
        error = answer["error"]
        if error["pythonType"] == "KeyboardInterrupt":
            if threading.current_thread() is threading.main_thread():
                _pending.clear()
            raise KeyboardInterrupt
        raise BridgeError(error["pythonType"], error["message"])
    return answer["ok"]


class _AnswerForLoop:
    """Takes the place of a queue in ``_waiting``: the answer becomes the result of a future."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self.future = self._loop.create_future()

    def put(self, answer):
        try:
            self._loop.call_soon_threadsafe(self._settle, answer)
        except RuntimeError:
            pass  # its loop is closed: nobody waits any more

    def _settle(self, answer):
        if self.future.done():
            return
        if "ok" in answer:
            self.future.set_result(answer["ok"])
        elif answer["error"]["pythonType"] == "KeyboardInterrupt":
            self.future.cancel()
        else:
            self.future.set_exception(BridgeError(answer["error"]["pythonType"], answer["error"]["message"]))


async def call_async(message):
    if on_wait is not None:
        on_wait()
    call_id = next(_call_ids)
    answer = _waiting[call_id] = _AnswerForLoop()
    try:
        _send({"type": "call", "id": call_id, "message": message})
        return await answer.future
    finally:
        _waiting.pop(call_id, None)


def _take(answers):
    if os.name != "nt":
        return answers.get()
    while True:  # Windows: a signal does not end the wait of the main thread
        try:
            return answers.get(timeout=0.1)
        except queue.Empty:
            continue


class _Task(threading.Thread):
    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self._error = None
        self._begin_epoch = _epoch
        self.start()

    def run(self):
        _bodies.add(self)
        try:
            if self._begin_epoch != _epoch:
                raise KeyboardInterrupt
            self._function()
        except BaseException as error:
            self._error = error
        finally:
            _bodies.discard(self)

    def done(self):
        return not self.is_alive()

    def join(self, timeout=None):
        if on_wait is not None:
            on_wait()
        while self.is_alive():
            super().join(0.1 if os.name == "nt" else None)
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

    global _awaiting
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(coroutine)
    if _loop.is_running():
        coroutine.close()
        raise RuntimeError("an event loop runs already: await this instead, as in await program.run_async(…)")
    task = _loop.create_task(settle())
    _awaiting = True
    try:
        succeeded, value = _loop.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        raise KeyboardInterrupt().with_traceback(_cancelled_at(task)) from None
    finally:
        _awaiting = False
    if not succeeded:
        raise value
    return value


def _cancelled_at(task):
    """Lets a cancelled task end; where in the user's code it was."""
    try:
        _, error = _loop.run_until_complete(task)
    except (Exception, asyncio.CancelledError):
        return None  # it was cancelled before it began
    return error.__traceback__ if isinstance(error, BaseException) else None


def real_path(path):
    return os.path.abspath(path)


def may_wait():
    """Whether a debugger may hold this thread here: not while it writes to the kernel."""
    return not (_orphaned or (_shield and threading.current_thread() is threading.main_thread()))


def next_control():
    """The thread that reads from the kernel gives a debugger's commands on at once."""
    return None


def _interrupt():
    global _epoch
    _epoch += 1
    for answers in list(_waiting.values()):
        answers.put({"error": {"pythonType": "KeyboardInterrupt", "message": ""}})
    for body in list(_bodies):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(body.ident), ctypes.py_object(KeyboardInterrupt))
    _pending.set()
    threading.Thread(target=_knock, daemon=True).start()


def _knock():
    """Signals the main thread until the interrupt was raised or the cell has ended."""
    while _busy and _pending.is_set():
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        else:
            _thread.interrupt_main()
        time.sleep(_KNOCK_INTERVAL)


def _read_exactly(count):
    data = bytearray()
    while len(data) < count:
        piece = os.read(_input, count - len(data))
        if not piece:
            os._exit(0)  # the kernel is gone
        data += piece
    return bytes(data)


def _read_messages(guest):
    global _busy
    while True:
        (length,) = _LENGTH.unpack(_read_exactly(4))
        message = json.loads(_read_exactly(length))
        kind = message["type"]
        if kind == "reply":
            answers = _waiting.get(message["id"])
            if answers is not None:
                answers.put(message["reply"])
        elif kind == "execute":
            _pending.clear()
            _busy = True
            _requests.put(message)
        elif kind == "query":
            _answer_query(guest, message)
        elif kind == "debug":
            guest.debug_control(json.dumps(message["command"]))
        elif kind == "interrupt":
            _interrupt()


def _answer_query(guest, message):
    try:
        result = {"ok": json.loads(guest.query_json(json.dumps(message["query"])))}
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    _send({"type": "query_reply", "id": message["id"], **result})


def serve(guest):
    """Runs cells until the kernel closes the pipe."""
    global _busy, _reader
    signal.signal(signal.SIGINT, _on_sigint)
    _reader = threading.Thread(target=_read_messages, args=(guest,), daemon=True)
    _reader.start()
    _send({"type": "ready", "python": ".".join(map(str, sys.version_info[:3]))})
    while True:
        message = _take(_requests)
        cell = message["cell"]
        asyncio.set_event_loop(_loop)  # asyncio.run() in an earlier cell took it away
        result = guest.execute_json(message["fileName"], cell["id"], cell["label"], message["code"], message["debug"])
        if _orphaned:
            os._exit(0)  # os.fork() in a cell: its rest has run here, too
        _busy = False
        _send({"type": "finished", "result": json.loads(result)})


def _orphan():
    """In a forked process: what it prints goes to the file descriptors, which the kernel shows, too."""
    global _orphaned, on_wait
    _orphaned, on_wait = True, None
    os.close(_input)
    os.close(_output)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = open(os.devnull)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = open(descriptor, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        setattr(sys, name, stream)


def _post_orphaned(message):
    if message["op"] != "output":
        _write(b"")
    data = message["output"].get("data", {})
    print(data.get("text/plain", message["output"].get("text", "")))


def install():
    global _input, _output, _loop
    _input, _output = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_orphan)
