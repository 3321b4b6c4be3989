"""The magics of cells: a method for each, found by its name. What is none of them is an error that lists them."""

import os
import shlex
import sys

import _sgl_display
import _sgl_streams
import _sgl_timing
import _sgl_transport

# IPython's settings for things that are always so here, or that no cell needs.
_NO_OPERATION = ("load_ext", "reload_ext", "config", "pylab", "xmode", "precision", "colors")
_SHELL_COMMANDS = ("cat", "cp", "head", "ls", "mkdir", "mv", "rm", "rmdir", "tail", "touch")


class MagicError(Exception):
    """A magic that does not exist or was used wrongly."""

    __module__ = "builtins"  # tracebacks name it without our module


class Magics:
    """For `CellShell`, which has the namespace, the shell and the cell's way to run Python."""

    def run_line_magic(self, name, arguments="", *_ignored):
        if name in _NO_OPERATION:
            print(f"%{name} has no effect here.", file=sys.stderr)
            return None
        if name in _SHELL_COMMANDS:
            return self.system(f"{name} {arguments}")
        function = getattr(self, f"_line_{name}", None)
        if function is None:
            raise MagicError(f"There is no line magic %{name}. Known: {', '.join(self._known('_line_'))}.")
        return function(arguments)

    magic = run_line_magic

    def run_cell_magic(self, name, arguments, body):
        function = getattr(self, f"_cell_{name}", None)
        if function is None:
            raise MagicError(f"There is no cell magic %%{name}. Known: {', '.join(self._known('_cell_'))}.")
        return function(arguments, body)

    def _known(self, prefix):
        names = [name[len(prefix) :] for name in dir(self) if name.startswith(prefix)]
        return sorted([*names, *(_SHELL_COMMANDS if prefix == "_line_" else ())])

    def _names(self):
        return [name for name in self.user_ns if not name.startswith("_")]

    # ------------------------------------------------------------------ lines: files and the shell

    def _line_cd(self, arguments):
        folder = os.path.expanduser(self._expand(arguments).strip("'\"") or "~")
        os.chdir(folder)
        print(os.getcwd())

    def _line_pwd(self, arguments):
        return os.getcwd()

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

    def _line_run(self, arguments):
        """Runs a Python file as the main program; its variables become the cell's."""
        import runpy

        words = shlex.split(self._expand(arguments))
        if not words or words[0].startswith("-"):
            raise MagicError("%run needs a Python file, and its arguments: %run program.py 10")
        path, before = os.path.expanduser(words[0]), sys.argv
        sys.argv = [path, *words[1:]]
        try:
            names = runpy.run_path(path, run_name="__main__")
        except SystemExit as exit:
            if exit.code not in (None, 0):
                raise
        else:
            self.user_ns.update({name: value for name, value in names.items() if not name.startswith("__")})
        finally:
            sys.argv = before

    # ------------------------------------------------------------------ lines: packages

    def _line_pip(self, arguments):
        import importlib.util
        import shutil

        arguments = self._expand(arguments)
        if sys.platform == "emscripten":
            import _sgl_packages

            return _sgl_packages.pip(arguments)
        python = shlex.quote(sys.executable)
        if importlib.util.find_spec("pip") is not None:
            self._run_shell(f"{python} -m pip {arguments}")
        elif shutil.which("uv"):  # its environments have no pip
            command, _, rest = arguments.partition(" ")
            self._run_shell(f"uv pip {command} --python {python} {rest}")
        else:
            raise MagicError(f"This Python has no pip: run !{sys.executable} -m ensurepip, or install uv.")
        importlib.invalidate_caches()
        return None

    def _line_uv(self, arguments):
        command, _, rest = arguments.partition(" ")
        if command == "pip":
            return self._line_pip(rest)
        return self.system(f"uv {arguments}")

    def _line_conda(self, arguments):
        if sys.platform == "emscripten":
            raise MagicError("The bundled Python has no conda. %pip install NAME gets packages without native code.")
        return self.system(f"conda {arguments}")

    # ------------------------------------------------------------------ lines: looking

    def _line_lsmagic(self, arguments):
        for mark, prefix in (("%", "_line_"), ("%%", "_cell_")):
            print(" ".join(mark + name for name in self._known(prefix)))

    def _line_pinfo(self, arguments):
        self.help(arguments)

    def _line_who(self, arguments):
        print("\t".join(self._names()) or "Interactive namespace is empty.")

    def _line_whos(self, arguments):
        rows = [(name, type(self.user_ns[name]).__name__) for name in self._names()]
        width = max([8, *(len(name) for name, _ in rows)])
        for name, kind in rows:
            text = " ".join(_sgl_display.plain_text(self.user_ns[name]).split())
            print(f"{name:<{width}}  {kind:<12}  {text[:80]}")

    def _line_history(self, arguments):
        print("\n\n".join(self.history[:-1]))

    _line_hist = _line_history

    def _line_reset(self, arguments):
        """Removes what the cells defined; asking first, as IPython does, would need an answer."""
        if arguments.split() not in (["-f"], ["-sf"]):
            raise MagicError("%reset -f removes every variable that the cells defined.")
        for name in self._names():
            del self.user_ns[name]

    def _line_debug(self, arguments):
        """pdb where the last exception was raised; its commands are asked for below the cell."""
        import pdb

        error = getattr(sys, "last_exc", None)
        if error is None or error.__traceback__ is None:
            raise MagicError("%debug needs an exception: run it after a cell that failed.")
        pdb.post_mortem(error.__traceback__)

    def _line_matplotlib(self, arguments):
        if arguments.split() not in ([], ["inline"]):
            print(f"%matplotlib {arguments} has no effect here: figures are shown as images.", file=sys.stderr)

    def _line_autoreload(self, arguments):
        print("%autoreload has no effect here: importlib.reload(module) loads a changed module.", file=sys.stderr)

    # ------------------------------------------------------------------ time

    def _line_time(self, arguments):
        return _sgl_timing.timed(lambda: self._run(arguments))

    def _line_prun(self, arguments):
        return _sgl_timing.profiled(lambda: self._run(arguments))

    def _line_timeit(self, arguments):
        counts, source = self._counts(arguments)
        _sgl_timing.measure(self._loop(source), counts)

    def _cell_time(self, arguments, body):
        return _sgl_timing.timed(lambda: self._run(body))

    def _cell_prun(self, arguments, body):
        return _sgl_timing.profiled(lambda: self._run(body))

    def _cell_timeit(self, arguments, body):
        counts, setup = self._counts(arguments)
        if setup:
            self._run(setup)
        _sgl_timing.measure(self._loop(body), counts)

    def _counts(self, arguments):
        try:
            return _sgl_timing.options_of(arguments)
        except ValueError as error:
            raise MagicError(str(error)) from None

    # ------------------------------------------------------------------ cells

    def _cell_bash(self, arguments, body, interpreter="bash"):
        import subprocess

        message = {"op": "shell", "command": body.lstrip("\n"), "capture": False, "interpreter": interpreter}
        code = _sgl_transport.call({**message, **self.process_context()})["code"]
        self.user_ns["_exit_code"] = code
        if code != 0:
            raise subprocess.CalledProcessError(code, f"%%{interpreter}")

    def _cell_sh(self, arguments, body):
        self._cell_bash(arguments, body, interpreter="sh")

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

    def _cell_html(self, arguments, body):
        _shown("text/html", body)

    _cell_HTML = _cell_html

    def _cell_markdown(self, arguments, body):
        _shown("text/markdown", body)

    def _cell_svg(self, arguments, body):
        _shown("image/svg+xml", body)

    def _cell_latex(self, arguments, body):
        _shown("text/latex", body)


def _shown(mime, body):
    text = body.lstrip("\n")
    _sgl_streams.show({"kind": "display", "data": {mime: text, "text/plain": text}, "displayId": None})
