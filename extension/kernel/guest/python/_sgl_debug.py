"""The debugger of a cell: traces the user's code and stands still where it is told to.

Only a cell that is run for debugging is traced; others cost nothing. A stack that stands still waits in a
call to the kernel, exactly as `input()` does, and is interrupted like it. The kernel lets one stack at a
time speak; the answers of its call are the debugger's commands (`DebugCommand` in debug-protocol.ts).
"""

import asyncio
import itertools
import json
import os
import sys
import threading
import traceback

import _sgl_breakpoints
import _sgl_debug_values
import _sgl_traceback
import _sgl_transport

# Events of the tracer between two looks for controls that came while Python computes.
_POLL_EVENTS = 200
_INNER_CODE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_NEVER_REPORTED = (KeyboardInterrupt, StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError)
_LIBRARY_PARTS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class _Step:
    """Where a stack is to stand still next. `frame`: only there; None: at the next line of the user's code."""

    def __init__(self, tracer, frame):
        self.tracer = tracer
        self.frame = frame

    def is_at(self, tracer, frame):
        return frame is self.frame or (self.frame is None and tracer is self.tracer)


class Debugger:
    """Of one kernel: keeps breakpoints between runs, and traces a run."""

    def __init__(self, files):
        self.files = files
        self.breakpoints = _sgl_breakpoints.Breakpoints(files)
        self.active = False
        self.pause_asked = False
        self.steps = []
        self.filters = ()
        self._mine = {}
        self._events = 0
        self._main = None
        self._loop = None
        self._last_raised = None

    # -------------------------------------------------------------- controls, at any time

    def control(self, command):
        kind = command["kind"]
        if kind == "breakpoints":
            self.breakpoints.set(command["source"], command["breakpoints"])
        elif kind == "exceptions":
            self.filters = tuple(command["filters"])
        elif kind == "pause":
            self.pause_asked = True
        elif kind == "forget_pause":
            self.pause_asked = False
        elif kind == "detach":
            self.breakpoints.clear()
            self._stop()

    def poll(self):
        """Takes controls that came while Python computes."""
        self._events += 1
        if self._events < _POLL_EVENTS:
            return
        self._events = 0
        while True:
            control = _sgl_transport.next_control()
            if control is None:
                return
            self.control(json.loads(control))

    # -------------------------------------------------------------- one run

    def run(self, function):
        """Calls `function` with tracing; looks at what it raises before it is passed on."""
        self.active, self.steps, self._last_raised = True, [], None
        self._main = Tracer(self, 1, "cell")
        self._loop = Tracer(self, 2, "event loop")
        threading.settrace(self._new_thread)
        _sgl_transport.on_body = self._trace_body
        undo = self._trace_event_loop()
        sys.settrace(self._main.called)
        try:
            return function()
        except Exception as error:
            sys.settrace(None)
            self._uncaught(error)
            raise
        finally:
            sys.settrace(None)
            threading.settrace(None)
            _sgl_transport.on_body = None
            undo()
            self._stop()

    def _stop(self):
        self.active, self.pause_asked, self.steps = False, False, []

    def _new_thread(self, frame, event, argument):
        """The first call in a new thread."""
        tracer = self._trace_body()
        return None if tracer is None else tracer.called(frame, event, argument)

    def _trace_body(self):
        """Begins to trace the stack that it is called on."""
        if not self.active:
            sys.settrace(None)
            return None
        tracer = Tracer(self)
        sys.settrace(tracer.called)
        return tracer

    def _trace_event_loop(self):
        """In WebAssembly, each callback of the event loop has a stack, and with it a trace function, of its own."""
        if sys.platform != "emscripten":
            return lambda: None
        original = asyncio.Handle._run
        debugger = self

        def run(handle):
            if debugger.active:
                sys.settrace(debugger._loop.called)
            try:
                return original(handle)
            finally:
                sys.settrace(None)

        asyncio.Handle._run = run

        def undo():
            asyncio.Handle._run = original

        return undo

    def _uncaught(self, error):
        if "uncaught" not in self.filters or not self.active or error is self._last_raised:
            return
        places = [place for place in traceback.walk_tb(error.__traceback__) if self.is_mine(place[0].f_code.co_filename)]
        if places:
            places.reverse()
            frames, lines = [place[0] for place in places], [place[1] for place in places]
            self.stand_still(self._main, frames, lines, "exception", _sgl_breakpoints.told(error))

    # -------------------------------------------------------------- whose code

    def is_mine(self, file_name):
        """Cells and the modules of the user; not sglang, the standard library or installed packages."""
        known = self._mine.get(file_name)
        if known is None:
            known = self._mine[file_name] = file_name in self.files or _is_users_file(file_name)
        return known

    def is_traced(self, file_name):
        return self.is_mine(file_name) or bool(self.breakpoints.of(file_name))

    def users_frames(self, frame):
        """The frames from here on outwards that are shown; this one in any case."""
        frames = [frame]
        while frame.f_back is not None:
            frame = frame.f_back
            if self.is_mine(frame.f_code.co_filename):
                frames.append(frame)
        return frames

    # -------------------------------------------------------------- standing still

    def pause_at(self, tracer, frame, reason, text):
        frames = self.users_frames(frame)
        lines = [each.f_lineno or each.f_code.co_firstlineno for each in frames]
        self.stand_still(tracer, frames, lines, reason, text)

    def stand_still(self, tracer, frames, lines, reason, text):
        """Answers questions until the stack is told to go on. KeyboardInterrupt ends it, as it ends `input()`."""
        if not _sgl_transport.may_wait():
            return
        self.pause_asked = False
        self.steps = [step for step in self.steps if step.tracer is not tracer and step.frame is not frames[0]]
        stack = _sgl_debug_values.PausedStack(frames, lines, self.files)
        thread = {"id": tracer.number, "name": tracer.name}
        event = {"kind": "stopped", "thread": thread, "reason": reason, "text": text}
        while True:
            try:
                command = _sgl_transport.call({"op": "debug", "event": event})
            except _sgl_transport.BridgeError:
                return  # no debugger listens
            if command["kind"] == "resume":
                return self._resume(tracer, frames[0], command["step"])
            event = {**_answer(stack, command), "thread": tracer.number}

    def _resume(self, tracer, frame, step):
        if not self.active or step == "continue":
            return
        if step == "into":
            self.steps.append(_Step(tracer, None))
        elif step == "over":
            self.steps.append(_Step(tracer, frame))
        else:
            self.steps.append(_Step(tracer, self.caller(tracer, frame)))

    def caller(self, tracer, frame):
        """The user's frame that called this one; None: the next line on this stack."""
        outer = self.users_frames(frame)[1:]
        if not outer:
            return None
        outer[0].f_trace = tracer.happened
        return outer[0]

    def report(self, text):
        """A line for the debug console."""
        try:
            _sgl_transport.call({"op": "debug", "event": {"kind": "log", "text": text}})
        except _sgl_transport.BridgeError:
            pass

    def is_new(self, error):
        """An exception is seen in each frame that it passes; it is reported where it is raised."""
        if error is self._last_raised or isinstance(error, _NEVER_REPORTED):
            return False
        self._last_raised = error
        return True


class Tracer:
    """The trace functions of one stack: `called` for its calls, `happened` inside the user's code."""

    _numbers = itertools.count(3)

    def __init__(self, debugger, number=None, name=None):
        self._debugger = debugger
        self.number = next(self._numbers) if number is None else number
        self.name = name or _thread_name(self.number)

    def called(self, frame, _event, _argument):
        debugger = self._debugger
        if not debugger.active:
            sys.settrace(None)
            return None
        debugger.poll()
        return self.happened if debugger.is_traced(frame.f_code.co_filename) else None

    def happened(self, frame, event, argument):
        debugger = self._debugger
        if not debugger.active:
            return None
        if event == "line":
            debugger.poll()
            self._line(frame)
        elif event == "return" and debugger.steps:
            self._returned(frame)
        elif event == "exception" and "raised" in debugger.filters and debugger.is_new(argument[1]):
            if debugger.is_mine(frame.f_code.co_filename):
                debugger.pause_at(self, frame, "exception", _sgl_breakpoints.told(argument[1]))
        return self.happened

    def _line(self, frame):
        debugger = self._debugger
        point = debugger.breakpoints.of(frame.f_code.co_filename).get(frame.f_lineno)
        if point is not None and not _is_inner(frame):
            verdict = point.verdict(frame)
            if verdict is not None and verdict[0] == "log":
                debugger.report(verdict[1])
            elif verdict is not None:
                return debugger.pause_at(self, frame, "breakpoint", verdict[1])
        is_stepped = any(step.is_at(self, frame) for step in debugger.steps)
        if (is_stepped or debugger.pause_asked) and debugger.is_mine(frame.f_code.co_filename):
            debugger.pause_at(self, frame, "step" if is_stepped else "pause", None)
        return None

    def _returned(self, frame):
        """A step in a frame that ends goes on in its caller. One that is suspended comes back."""
        debugger = self._debugger
        for step in debugger.steps:
            if step.frame is frame and not _is_suspended(frame):
                step.frame, step.tracer = debugger.caller(self, frame), self


def _answer(stack, command):
    number = command["id"]
    try:
        return {"kind": "answer", "id": number, "result": stack.answer(command["question"])}
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return {"kind": "refusal", "id": number, "message": _sgl_breakpoints.told(error)}


def _is_users_file(file_name):
    if file_name.startswith("<") or _sgl_traceback.is_hidden(file_name):
        return False
    if any(part in file_name for part in _LIBRARY_PARTS):
        return False
    return not file_name.startswith(_sgl_traceback.STANDARD_LIBRARY)


def _is_inner(frame):
    """A comprehension in the line at which its function has stopped already."""
    outer = frame.f_back
    return frame.f_code.co_name in _INNER_CODE and outer is not None and outer.f_lineno == frame.f_lineno


_SUSPENDING = {"YIELD_VALUE", "YIELD_FROM", "SEND", "RETURN_GENERATOR", "RESUME"}


def _is_suspended(frame):
    """Whether a generator or coroutine stops for a while, not for good."""
    import dis
    import inspect

    if not frame.f_code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        return False
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in _SUSPENDING


def _thread_name(number):
    name = threading.current_thread().name
    return f"program {number - 2}" if sys.platform == "emscripten" or name.startswith("Thread-") else name
