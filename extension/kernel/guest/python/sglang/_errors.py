"""Exceptions, and how a failure in the interpreter becomes one."""

import builtins
import difflib


class GenerationError(KeyError):
    """A variable has no value because a step of its program failed.

    It is a ``KeyError``, as reading a missing variable is in SGLang; its text and its ``__cause__``
    tell what failed. ``request`` is what was sent, with ``url`` and ``body`` (None: nothing was);
    ``file`` and ``line`` say where the program appended what failed (None: not known).
    """

    # As programs import it, and as tracebacks name it.
    __module__ = "sglang"
    request = None
    file = None
    line = None

    def __init__(self, name, reason):
        super().__init__(name)
        self.name = name
        self.reason = reason

    def __str__(self):
        if self.name is None:
            return self.reason
        return f"{self.name!r} was not generated: {self.reason}"


def exception_of(python_type, message):
    """The exception that ``python_type`` names, or a RuntimeError if it names none."""
    kind = getattr(builtins, python_type, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return RuntimeError(f"{python_type}: {message}")
    if issubclass(kind, UnicodeError):
        return ValueError(message)
    return kind(message) if message else kind()


def cause_of(error):
    """The exception of a ``WireError`` of the bridge; an interrupt becomes an ordinary exception."""
    if error["type"] == "KeyboardInterrupt":
        return RuntimeError("the cell was interrupted")
    return exception_of(error["type"], error["message"])


def failed(name, error, raised=None):
    """The GenerationError of a variable, with its cause attached: ``raised``, where Python itself knows it."""
    cause = raised or cause_of(error)
    problem = GenerationError(name, str(cause) or type(cause).__name__)
    problem.__cause__ = cause
    problem.request = error.get("request")
    at = error.get("at")
    if at:
        problem.file, problem.line = at
        place = problem.file.strip("<>").split("#")[0]
        add_note(problem, f"What failed was appended in {place}, line {problem.line}.")
    return problem


def unset(name, variables):
    """The KeyError of a variable that the program never set; its note says which ones there are."""
    error = KeyError(name)
    add_note(error, _known_names(name, [each for each in variables if isinstance(each, str)]))
    return error


def add_note(error, note):
    """What a traceback says after the exception, from Python 3.11 on."""
    if note and hasattr(error, "add_note"):
        error.add_note(note)


def _known_names(name, known):
    if not known:
        return "The program has set no variable."
    close = difflib.get_close_matches(name, known, 1) if isinstance(name, str) else []
    question = f"Did you mean {close[0]!r}? " if close else ""
    return f"{question}The program has set {', '.join(map(repr, known))}."
