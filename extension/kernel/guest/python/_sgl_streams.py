"""`sys.stdout` and `sys.stderr` of cells, as messages in one order."""

import io
import sys
import threading

import _sgl_transport

# Text is held back until a line ends, the cell waits or something else is shown; longer text goes at once.
_HELD_CHARACTERS = 8192

_lock = threading.RLock()
_held = []
_held_length = 0
_held_name = None


def flush():
    """Sends what is held back. Called before every wait and at the end of the cell."""
    global _held_length
    with _lock:
        if not _held:
            return
        text = "".join(_held)
        _held.clear()
        _held_length = 0
        send({"kind": "stream", "name": _held_name, "text": text})


def send(output):
    _sgl_transport.post({"op": "output", "output": output})


def show(output):
    """Shows something that is not a stream, after all that was printed before it."""
    flush()
    send(output)


class CellStream(io.TextIOBase):
    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name):
        super().__init__()
        self.name = f"<{name}>"
        self._stream = name

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        raise io.UnsupportedOperation("a cell's output is not a file of the operating system")

    def flush(self):
        flush()

    def write(self, text):
        global _held_length, _held_name
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not text:
            return 0
        with _lock:
            if _held_name != self._stream:
                flush()
                _held_name = self._stream
            _held.append(text)
            _held_length += len(text)
            if _held_length > _HELD_CHARACTERS or "\n" in text or "\r" in text:
                flush()
        return len(text)


class CellInput(io.TextIOBase):
    """`sys.stdin`: each line is asked for."""

    encoding = "utf-8"
    name = "<stdin>"

    def readable(self):
        return True

    def readline(self, size=-1):
        line = ask("")
        return "" if line is None else line + "\n"


def ask(prompt, password=False):
    """One line from the user, or `None` at the end of input."""
    flush()
    return _sgl_transport.call({"op": "input", "prompt": str(prompt), "password": password})


def _input(prompt="", /):
    line = ask(prompt)
    if line is None:
        raise EOFError("the input ended")
    return line


def _getpass(prompt="Password: ", stream=None, *, echo_char=None):
    line = ask(prompt, password=True)
    if line is None:
        raise EOFError("the input ended")
    return line


def install():
    import builtins
    import getpass

    sys.stdout = CellStream("stdout")
    sys.stderr = CellStream("stderr")
    sys.stdin = CellInput()
    builtins.input = _input
    getpass.getpass = _getpass
    _sgl_transport.on_wait = flush
