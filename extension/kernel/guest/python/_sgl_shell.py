"""Shell lines and magics of cells. Reached as `get_ipython()`, which libraries also look for."""

import builtins
import os
import re
import shlex
import sys
import time

import _sgl_display
import _sgl_streams
import _sgl_transport

_NO_OPERATION = ("matplotlib", "load_ext", "reload_ext", "autoreload", "config", "pylab")
_PIP = re.compile(r"pip[\d.]*|uv pip|python[\d.]* -m pip")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|\$([A-Za-z_]\w*)")


class MagicError(Exception):
    """A magic that does not exist or was used wrongly."""

    __module__ = "builtins"  # tracebacks name it without our module


class CellShell:
    """`run_source(source)` runs Python in the cell's namespace and returns the last expression's value."""

    def __init__(self, namespace, run_source):
        self.user_ns = namespace
        self._run = run_source
        self._first_environment = dict(os.environ)

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

    # ------------------------------------------------------------------ magics

    def run_line_magic(self, name, arguments="", *_ignored):
        if name in _NO_OPERATION:
            print(f"%{name} has no effect here.", file=sys.stderr)
            return None
        function = getattr(self, f"_line_{name}", None)
        if function is None:
            raise MagicError(f"There is no line magic %{name}. Known: {self._known('_line_')}.")
        return function(arguments)

    magic = run_line_magic

    def run_cell_magic(self, name, arguments, body):
        function = getattr(self, f"_cell_{name}", None)
        if function is None:
            raise MagicError(f"There is no cell magic %%{name}. Known: {self._known('_cell_')}.")
        return function(arguments, body)

    def _known(self, prefix):
        names = sorted(name[len(prefix) :] for name in dir(self) if name.startswith(prefix))
        return ", ".join(names)

    def help(self, name):
        try:
            value = eval(name, self.user_ns)
        except Exception:
            print(f"Object `{name}` not found.")
            return
        import inspect

        try:
            print(f"Signature: {name}{inspect.signature(value)}")
        except (TypeError, ValueError):
            print(f"Value: {_sgl_display.plain_text(value)[:2000]}")
        print(f"Type: {type(value).__name__}")
        print(f"Docstring:\n{inspect.getdoc(value) or '(none)'}")

    # ------------------------------------------------------------------ line magics

    def _line_cd(self, arguments):
        folder = os.path.expanduser(self._expand(arguments).strip("'\"") or "~")
        os.chdir(folder)
        print(os.getcwd())

    def _line_pwd(self, arguments):
        return os.getcwd()

    def _line_ls(self, arguments):
        self.system(f"ls {arguments}")

    def _line_env(self, arguments):
        if not arguments:
            return dict(os.environ)
        name, separator, value = arguments.partition("=" if "=" in arguments else " ")
        if not separator:
            return os.environ.get(name)
        os.environ[name.strip()] = self._expand(value.strip())
        print(f"env: {name.strip()}={os.environ[name.strip()]}")
        return None

    _line_set_env = _line_env

    def _line_time(self, arguments):
        return self._timed(arguments)

    def _line_timeit(self, arguments):
        counts, source = _timeit_options(arguments)
        self._measure(source, "", counts)

    def _line_pip(self, arguments):
        arguments = self._expand(arguments)
        if sys.platform == "emscripten":
            import _sgl_packages

            return _sgl_packages.pip(arguments)
        return self._run_shell(f"{shlex.quote(sys.executable)} -m pip {arguments}")

    def _line_who(self, arguments):
        names = [name for name in self.user_ns if not name.startswith("_")]
        print("\t".join(names) if names else "Interactive namespace is empty.")

    # ------------------------------------------------------------------ cell magics

    def _cell_bash(self, arguments, body, interpreter="bash"):
        import subprocess

        message = {"op": "shell", "command": body.lstrip("\n"), "capture": False, "interpreter": interpreter}
        code = _sgl_transport.call({**message, **self.process_context()})["code"]
        self.user_ns["_exit_code"] = code
        if code != 0:
            raise subprocess.CalledProcessError(code, f"%%{interpreter}")

    def _cell_sh(self, arguments, body):
        self._cell_bash(arguments, body, interpreter="sh")

    def _cell_time(self, arguments, body):
        return self._timed(body)

    def _cell_timeit(self, arguments, body):
        counts, setup = _timeit_options(arguments)
        self._measure(body, setup, counts)

    def _cell_capture(self, arguments, body):
        import contextlib
        import io

        class Captured:
            def __init__(self, stdout, stderr):
                self.stdout, self.stderr = stdout, stderr

            __str__ = show = lambda self: self.stdout

        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            self._run(body)
        name = next((word for word in arguments.split() if not word.startswith("-")), None)
        if name is not None:
            self.user_ns[name] = Captured(stdout.getvalue(), stderr.getvalue())

    def _cell_writefile(self, arguments, body):
        append = arguments.startswith("-a ")
        path = self._expand(arguments[3:] if append else arguments).strip().strip("'\"")
        if not path:
            raise MagicError("%%writefile needs a file name.")
        verb = "Appending to" if append else "Overwriting" if os.path.exists(path) else "Writing"
        print(f"{verb} {path}")
        with open(path, "a" if append else "w", encoding="utf-8") as file:
            file.write(body.lstrip("\n"))

    # ------------------------------------------------------------------ time

    def _timed(self, source):
        processor, wall = time.process_time(), time.perf_counter()
        try:
            return self._run(source)
        finally:
            processor, wall = time.process_time() - processor, time.perf_counter() - wall
            print(f"CPU times: {_duration(processor)}\nWall time: {_duration(wall)}")

    def _measure(self, source, setup, counts):
        """`counts`: loops of a run and runs, as given by `-n` and `-r`; as many as fit two seconds otherwise."""
        if setup:
            self._run(setup)
        loops = counts.get("n", 1)
        most = counts.get("r", 7 if "n" in counts else None)
        runs, spent, best = 0, 0.0, float("inf")
        while runs < most if most is not None else runs < 5 or (spent < 1.0 and runs < 100_000):
            begin = time.perf_counter()
            for _ in range(loops):
                self._run(source)
            elapsed = time.perf_counter() - begin
            runs, spent, best = runs + 1, spent + elapsed, min(best, elapsed)
            if most is None and spent > 2.0:
                break
        mean = _duration(spent / (runs * loops))
        print(f"{mean} per run (mean of {runs * loops}; best {_duration(best / loops)})")


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


def _timeit_options(arguments):
    """The counts of `-n` and `-r`, at least 1, and what follows them."""
    counts = {}
    while True:
        option = re.match(r"\s*-([nr])\s*(\d+)(?:\s+|$)", arguments)
        if option is None:
            break
        counts[option[1]] = max(1, int(option[2]))
        arguments = arguments[option.end() :]
    if re.match(r"\s*-[a-zA-Z]+(\s|$)", arguments):
        raise MagicError(f"timeit knows the options -n N and -r R only: {arguments.strip()}")
    return counts, arguments


class OutputLines(list):
    """Lines of `x = !command`, with IPython's `.n` and `.s`."""

    @property
    def n(self):
        return "\n".join(self)

    @property
    def s(self):
        return " ".join(self)


def _duration(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def install(namespace, run_source):
    shell = CellShell(namespace, run_source)
    builtins.get_ipython = lambda: shell
    return shell
