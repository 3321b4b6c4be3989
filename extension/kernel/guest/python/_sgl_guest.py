"""Runs cells: compiles each under its own file name, shows the last value, reports how it ended.

Shared by both guests; `_sgl_transport` is the only difference between them.
"""

import __future__
import ast
import builtins
import inspect
import json
import linecache
import sys
import types

import _sgl_cell_source
import _sgl_display
import _sgl_figures
import _sgl_shell
import _sgl_streams
import _sgl_timing
import _sgl_traceback
import _sgl_transport

_FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    _FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag


class Guest:
    """The cells' namespace and what runs in it."""

    def __init__(self):
        self.main = types.ModuleType("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.files = _sgl_traceback.CellFiles()
        self._flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._file_name = None
        self._shell = None
        # Made when a debugger first speaks.
        self._debugger = None
        self._debugging = False

    def install(self):
        sys.modules["__main__"] = self.main
        _sgl_streams.install()
        self._shell = _sgl_shell.install(self.main.__dict__, self._run_source, self._loop_of)
        _sgl_display.install()
        _sgl_transport.process_context = self._shell.process_context

    def execute(self, file_name, cell_id, label, code, debug=False):
        """The `CellResult` of running `code`; `debug`: with the debugger."""
        self._file_name = file_name
        self.files.add(file_name, cell_id, label)
        self._shell.history.append(code)
        # A modification time of `None` keeps `linecache.checkcache` from looking for a file.
        lines = [line + "\n" for line in code.split("\n")]
        linecache.cache[self._file_name] = (len(code), None, lines, self._file_name)
        self._debugging = debug
        try:
            if debug:
                self.debugger.run(lambda: self._run_cell(code))
            else:
                self._run_cell(code)
            return {"status": "ok"}
        except KeyboardInterrupt as interrupt:
            return {"status": "interrupted", "error": self._error(interrupt)}
        except SystemExit as exit:
            return {"status": "error", "error": {**self._error(exit), "message": _exit_message(exit)}}
        except BaseException as error:
            return {"status": "error", "error": self._error(error)}
        finally:
            self._debugging = False
            self._show_figures()
            _sgl_streams.flush()

    @property
    def debugger(self):
        if self._debugger is None:
            import _sgl_debug

            self._debugger = _sgl_debug.Debugger(self.files)
        return self._debugger

    @staticmethod
    def _show_figures():
        try:
            _sgl_figures.flush()
        except Exception as error:
            print(f"A figure could not be drawn: {type(error).__name__}: {error}", file=sys.stderr)

    def _error(self, exception):
        sys.last_exc = exception
        return _sgl_traceback.error_of(exception, self.files)

    def _run_cell(self, code):
        magic = _sgl_cell_source.split_cell_magic(code)
        if magic is None:
            value = self._run_source(code)
        else:
            value = self._shell.run_cell_magic(*magic)
        if value is not None:
            self.main.__dict__["_"] = value
            _sgl_display.show_result(value)

    def _run_source(self, source):
        """Runs Python text of the current cell; returns the value of a last expression."""
        tree = ast.parse(_sgl_cell_source.to_python(source), self._file_name)
        if self._debugging:
            self._debugger.breakpoints.compiled(self._file_name, self._compiled(tree, "exec"))
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not _ends_with_semicolon(source, tree.body[-1]):
            last = ast.Expression(tree.body.pop().value)
        if tree.body:
            self._run_code(self._compiled(tree, "exec"))
        return None if last is None else self._run_code(self._compiled(last, "eval"))

    def _loop_of(self, source):
        """For `%timeit`: a function that runs the text as often as it is told."""
        tree = ast.parse(_sgl_cell_source.to_python(source), self._file_name)
        return _sgl_timing.loop_of(tree, self._file_name, self.main.__dict__)

    def _compiled(self, tree, mode):
        code = compile(tree, self._file_name, mode, self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURE_FLAGS  # a `from __future__ import` lasts, as in a REPL
        return code

    def _run_code(self, code):
        value = eval(code, self.main.__dict__)
        return _sgl_transport.run_coro(value) if code.co_flags & inspect.CO_COROUTINE else value


def _ends_with_semicolon(source, expression):
    """Whether the value is not to be shown, as in IPython: `f();`."""
    lines = source.split("\n")
    if expression.end_lineno > len(lines):
        return False
    rest = lines[expression.end_lineno - 1].encode()[expression.end_col_offset :]
    return rest.strip().startswith(b";")


def _exit_message(exit):
    code = 0 if exit.code is None else exit.code
    return f"{code} (the cell asked to exit; the kernel keeps running)"


_guest = Guest()


def install():
    _guest.install()


def execute_json(file_name, cell_id, label, code, debug=False):
    return json.dumps(_guest.execute(file_name, cell_id, label, code, debug))


def debug_control(command):
    """Takes a debugger's command that does not wait for a stack to stand still."""
    _guest.debugger.control(json.loads(command))


def query_json(query):
    """Answers a side question without waiting for anything."""
    import _sgl_inspect

    return json.dumps(_sgl_inspect.answer(json.loads(query), _guest.main.__dict__, _guest.files))
