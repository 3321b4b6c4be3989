"""Breakpoints: where they are, and whether one stops now."""

import bisect
import dis
import operator
import os
import re
import sys

import _sgl_patience
import _sgl_transport

# Seconds that a condition or a log text may wait for a generation.
_PATIENCE = 5
_HIT_RULES = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq}


class Breakpoint:
    """One line of a source. `condition`, `hits` and `log` are the user's texts, or None."""

    def __init__(self, line, condition=None, hits=None, log=None):
        self.line = line
        self.condition = condition
        self.hits = hits
        self.log = log
        self._count = 0

    def verdict(self, frame):
        """What to do at this line: `None`, `("log", text)` or `("stop", text)`; the text may be None."""
        if self.condition:
            try:
                if not _value(self.condition, frame):
                    return None
            except Exception as error:
                return "stop", f"The condition of the breakpoint failed: {told(error)}"
        self._count += 1
        if self.hits and not self._is_hit():
            return None
        return ("stop", None) if self.log is None else ("log", _filled(self.log, frame))

    def _is_hit(self):
        match = re.fullmatch(r"\s*(>=|<=|==|>|<|%)?\s*(\d+)\s*", self.hits)
        if match is None:
            return True  # the adapter has told that it is no count
        rule, number = match[1] or "==", int(match[2])
        if rule == "%":
            return number > 0 and self._count % number == 0
        return _HIT_RULES[rule](self._count, number)


def _value(expression, frame):
    with _sgl_patience.limited(_PATIENCE):
        return eval(expression.strip(), frame.f_globals, frame.f_locals)


def _filled(text, frame):
    """A log text with the values of `{expressions}`; `{{` and `}}` are braces."""

    def fill(match):
        if match[1] is None:
            return match[0][0]
        try:
            return str(_value(match[1], frame))
        except Exception as error:
            return f"<{told(error)}>"

    return re.sub(r"\{\{|\}\}|\{([^{}]*)\}", fill, text)


def told(error):
    """An exception in one line, whatever its text does."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Breakpoints:
    """All breakpoints, by source; looked up by the file names of code objects."""

    def __init__(self, files):
        self._files = files
        self._cells = {}
        self._paths = {}
        # Of cells that were compiled: the lines where something begins.
        self._lines = {}
        self._by_file = {}

    def set(self, source, items):
        """Replaces those of a source: `{"cell": id}` or `{"path": absolute path}`."""
        points = [Breakpoint(**item) for item in items]
        if "cell" in source:
            self._cells[source["cell"]] = points
        else:
            self._paths[_same_path(source["path"])] = points
        self._by_file = {}

    def clear(self):
        self._cells, self._paths, self._by_file = {}, {}, {}

    def compiled(self, file_name, code):
        """A cell will run: its breakpoints move to lines where something begins."""
        self._lines[file_name] = lines_of(code)
        self._by_file.pop(file_name, None)

    def of(self, file_name):
        """Breakpoints of a file of code by line; empty for most."""
        found = self._by_file.get(file_name)
        if found is None:
            found = self._by_file[file_name] = self._resolved(file_name)
        return found

    def _resolved(self, file_name):
        if file_name in self._files:
            return _placed(self._cells.get(self._files.cell_id(file_name)), self._lines.get(file_name))
        if not self._paths or file_name.startswith("<"):
            return {}
        points = self._paths.get(_same_path(_sgl_transport.real_path(file_name)))
        return _placed(points, points and _lines_of_file(file_name))


def _placed(points, lines):
    """By the line where each stops: its own, or the next one with code. `lines` is sorted."""
    placed = {}
    for point in points or ():
        line = point.line
        if lines:
            index = bisect.bisect_left(lines, line)
            line = lines[index] if index < len(lines) else None
        placed.setdefault(line, point)
    return placed


def _lines_of_file(file_name):
    try:
        with open(file_name, "rb") as file:
            return lines_of(compile(file.read(), file_name, "exec", dont_inherit=True))
    except (OSError, SyntaxError, ValueError):
        return None


def lines_of(code):
    """The lines of a code object, and of those in it, where something begins; sorted."""
    lines, codes = set(), [code]
    while codes:
        code = codes.pop()
        lines.update(line for _, line in dis.findlinestarts(code) if line)
        codes += [each for each in code.co_consts if isinstance(each, type(code))]
    return sorted(lines)


def _same_path(path):
    """One name for a file, whichever way it is written."""
    if sys.platform == "emscripten":
        return path  # as the kernel's machine writes it; this one cannot look there
    return os.path.normcase(os.path.realpath(path))
