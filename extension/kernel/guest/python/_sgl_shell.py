"""Shell lines of cells, and the way to their magics. Reached as `get_ipython()`, which libraries also look for."""

import builtins
import os
import re
import shlex
import sys

import _sgl_display
import _sgl_transport
from _sgl_magics import Magics

_PIP = re.compile(r"pip[\d.]*|uv pip|python[\d.]* -m pip")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|\$([A-Za-z_]\w*)")


class CellShell(Magics):
    """`run_source(source)` runs Python in the cell's namespace and returns the last expression's value;
    `loop_of(source)` is a function that runs it as often as it is told."""

    def __init__(self, namespace, run_source, loop_of):
        self.user_ns = namespace
        self.history = []
        self._run = run_source
        self._loop = loop_of
        self._first_environment = dict(os.environ)
        self.events = _NoEvents()

    def enable_gui(self, gui=None):
        """Libraries that draw ask for it; there are no windows here."""

    # ------------------------------------------------------------------ shell lines

    def system(self, command):
        """Streams the output; the exit status is in `_exit_code`."""
        command = self._expand(command)
        packages = _pip_arguments(command) if sys.platform == "emscripten" else None
        if packages is None:
            return self._run_shell(command)
        return self._line_pip(packages)

    def _run_shell(self, command):
        self.user_ns["_exit_code"] = self._shell(command, capture=False)["code"]

    def getoutput(self, command, split=True, **_ignored):
        answer = self._shell(self._expand(command), capture=True)
        self.user_ns["_exit_code"] = answer["code"]
        return OutputLines(answer["stdout"].splitlines()) if split else answer["stdout"]

    def _shell(self, command, capture):
        message = {"op": "shell", "command": command, "capture": capture}
        return _sgl_transport.call({**message, **self.process_context()})

    def process_context(self):
        """Folder and changed environment variables with which programs start."""
        changed = {name: value for name, value in os.environ.items() if self._first_environment.get(name) != value}
        removed = [name for name in self._first_environment if name not in os.environ]
        return {"cwd": _sgl_transport.real_path(os.getcwd()), "env": {**changed, **dict.fromkeys(removed)}}

    def _expand(self, command):
        """`{expression}` and `$name` stand for Python values, as in IPython; what is no such value stays."""

        def value(match):
            if match[0] in ("{{", "}}", "$$"):
                return match[0][0]
            if match[1] is not None:
                try:
                    return str(eval(match[1], self.user_ns))
                except Exception:
                    return match[0]
            return str(self.user_ns[match[2]]) if match[2] in self.user_ns else match[0]

        return _PLACEHOLDER.sub(value, command)

    def help(self, name):
        try:
            value = eval(name, self.user_ns)
        except Exception:
            print(f"Object `{name}` not found.")
            return
        import inspect

        try:
            print(f"Signature: {name}{inspect.signature(value)}")
        except (NameError, TypeError, ValueError):
            print(f"Value: {_sgl_display.plain_text(value)[:2000]}")
        print(f"Type: {type(value).__name__}")
        print(f"Docstring:\n{inspect.getdoc(value) or '(none)'}")


def _pip_arguments(command):
    """What a shell line asks of pip, which would serve some other Python of this machine; `None` when it
    asks nothing of it, or does other things besides. Where its output is to go is left out."""
    reader = shlex.shlex(command, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    try:
        words = list(reader)
    except ValueError:
        return None
    program = next((count for count in (1, 2, 3) if _PIP.fullmatch(" ".join(words[:count]))), None)
    if program is None:
        return None
    end = next((index for index, word in enumerate(words) if set(word) <= set("();<>|&")), len(words))
    if any(word in ("&&", "||", ";", "&", "(", ")") for word in words[end:]):
        return None
    if words[end : end + 1] in ([">"], [">&"]) and words[end - 1] in ("1", "2"):
        end -= 1
    return shlex.join(words[program:end])


class _NoEvents:
    """Libraries register for IPython's events; none of theirs is needed here."""

    def register(self, _event, _function):
        pass

    def unregister(self, _event, _function):
        pass


class OutputLines(list):
    """Lines of `x = !command`, with IPython's `.n` and `.s`."""

    @property
    def n(self):
        return "\n".join(self)

    @property
    def s(self):
        return " ".join(self)


def install(namespace, run_source, loop_of):
    shell = CellShell(namespace, run_source, loop_of)
    builtins.get_ipython = lambda: shell
    return shell
