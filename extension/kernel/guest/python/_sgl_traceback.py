"""Exceptions as data: what the user sees of a failure, and where in which cell it is."""

import os
import sys
import traceback

_GUEST_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
STANDARD_LIBRARY = os.path.dirname(os.path.abspath(traceback.__file__)) + os.sep
_HIDDEN_PARTS = ("<frozen", "/_pyodide/", "/pyodide/", ".whl/micropip/", f"{os.sep}asyncio{os.sep}", f"{os.sep}concurrent{os.sep}")


# In lines, as error outputs of notebooks wrap none.
_MISSING_PACKAGE = """\
The bundled Python has the standard library, sglang and requests only.
With a network connection, "%pip install NAME" gets packages without native code.
For others, run the notebook on a Python of your own: "SGLang: Select Python…" in VS Code,
"sglnb run --python PATH" in a terminal."""
_NO_THREADS = """\
The bundled Python has no threads: run_batch runs programs side by side without them,
and so does asyncio.gather of run_async. For threads, run the notebook on a Python of your own:
"SGLang: Select Python…" in VS Code, "sglnb run --python PATH" in a terminal."""


class CellFiles:
    """Which file name belongs to which cell. The kernel gives each run of a cell a name of its own, so
    that a function defined by an earlier text of the cell still shows that text."""

    def __init__(self):
        self._cells = {}

    def add(self, file_name, cell_id, label):
        self._cells[file_name] = (cell_id, label)

    def cell_id(self, file_name):
        return self._cells[file_name][0]

    def label(self, file_name):
        return f"<{self._cells[file_name][1]}>"

    def __contains__(self, file_name):
        return file_name in self._cells


def error_of(exception, files):
    """The `KernelError` of an exception that ended a cell."""
    file_name, line = _position(exception, files)
    _explain_what_is_missing(exception)
    return {
        "name": type(exception).__name__,
        "message": _message(exception, files),
        "traceback": _formatted(exception, files),
        "line": line,
        "cellId": None if file_name is None else files.cell_id(file_name),
    }


def _explain_what_is_missing(exception):
    """The bundled Python lacks what people are used to; say where to find it."""
    if sys.platform != "emscripten":
        return
    if isinstance(exception, ModuleNotFoundError) and exception.name:
        exception.add_note(_MISSING_PACKAGE)
    elif isinstance(exception, RuntimeError) and exception.args == ("can't start new thread",):
        exception.add_note(_NO_THREADS)


def _position(exception, files):
    """File name and line of the innermost frame that lies in a cell."""
    if isinstance(exception, SyntaxError) and exception.filename in files:
        return exception.filename, exception.lineno
    frames = [frame for frame in traceback.walk_tb(exception.__traceback__) if frame[0].f_code.co_filename in files]
    if not frames:
        return None, None
    frame, line = frames[-1]
    return frame.f_code.co_filename, line


def _message(exception, files):
    if isinstance(exception, SyntaxError) and exception.filename in files:
        return f"{exception.msg} ({files.label(exception.filename)[1:-1]}, line {exception.lineno})"
    try:
        return str(exception)
    except Exception as error:
        return f"<the exception's text could not be made: {type(error).__name__}>"


def _formatted(exception, files):
    try:
        options = {"compact": True} if sys.version_info >= (3, 10) else {}
        shown = traceback.TracebackException.from_exception(exception, **options)
        _clean(shown, files)
        return "".join(shown.format()).rstrip("\n")
    except Exception:  # too deep a recursion, or an exception class that cannot be shown
        return f"{type(exception).__name__}: {_message(exception, files)}"


def _clean(shown, files):
    """Keeps the user's frames, here and in every cause, and shows cells under their labels."""
    if shown is None:
        return
    frames = list(_users_frames(_from_first_cell(shown.stack, files)))
    for frame in frames:
        if frame.filename in files:
            frame.filename = files.label(frame.filename)
    shown.stack[:] = frames
    if not frames and sys.version_info >= (3, 10):
        shown.stack = None  # no "Traceback" line above nothing
    if getattr(shown, "filename", None) in files:
        shown.filename = files.label(shown.filename)
    cause = shown.__cause__
    if cause is not None and not cause.stack and str(cause) in str(shown):
        shown.__cause__ = None  # it was raised nowhere, and has been told
    _clean(shown.__cause__, files)
    _clean(shown.__context__, files)
    for member in getattr(shown, "exceptions", None) or ():
        _clean(member, files)


def _from_first_cell(stack, files):
    """What lies before the first frame of a cell is the kernel's way to it."""
    for index, frame in enumerate(stack or ()):
        if frame.filename in files:
            return stack[index:]
    return [frame for frame in stack or () if not frame.filename.endswith(("/ast.py", "\\ast.py"))]


def _users_frames(stack):
    """Leaves out the kernel's own frames and those of the standard library that these called."""
    below_own = False
    for frame in stack:
        if is_hidden(frame.filename):
            below_own = True
        elif not (below_own and frame.filename.startswith(STANDARD_LIBRARY)):
            below_own = False
            yield frame


def is_hidden(file_name):
    return file_name.startswith(_GUEST_FOLDER) or any(part in file_name for part in _HIDDEN_PARTS)
