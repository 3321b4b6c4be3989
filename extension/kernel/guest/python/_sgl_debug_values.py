"""What a debugger shows of a stack that stands still: frames, scopes, values. Sizes are limited, and
nothing waits for a generation longer than a few seconds."""

import itertools
import reprlib
import sys

import _sgl_inspect
import _sgl_patience
import _sgl_transport
import _sgl_values

# Seconds that an expression may wait for a generation.
PATIENCE = 5
_MOST_CHILDREN = 200
_MOST_FRAMES = 200
_ids = itertools.count(1)


class _Long(reprlib.Repr):
    """For values that were asked for one by one."""

    def __init__(self):
        super().__init__()
        self.maxlevel = 8
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 100
        self.maxstring = self.maxother = 10_000


class PausedStack:
    """Answers questions about frames, the innermost first, until the stack goes on."""

    def __init__(self, frames, lines, files):
        self._files = files
        self._frames = {next(_ids): each for each in zip(frames[:_MOST_FRAMES], lines)}
        # What can be unfolded: reference → (how, object, expression or None, frame).
        self._shown = {}

    def answer(self, question):
        """The JSON answer; fails with an exception that says why."""
        kind = question["kind"]
        with _sgl_patience.limited(PATIENCE):
            if kind == "stack":
                return [self._frame(number, frame, line) for number, (frame, line) in self._frames.items()]
            if kind == "scopes":
                return self._scopes(self._frame_of(question))
            if kind == "variables":
                return self._variables(question)
            if kind == "evaluate":
                return self._evaluate(question)
            if kind == "set":
                return self._set(question)
        raise ValueError(f"unknown question {kind!r}")

    # -------------------------------------------------------------- frames

    def _frame(self, number, frame, line):
        code = frame.f_code
        file_name = code.co_filename
        if file_name in self._files:
            label = self._files.label(file_name)[1:-1]
            source = {"cell": self._files.cell_id(file_name), "label": label}
        else:
            source = {"path": _sgl_transport.real_path(file_name)}
        name = getattr(code, "co_qualname", code.co_name)
        return {"id": number, "name": name, "line": line, "source": source}

    def _frame_of(self, question):
        number = question.get("frame")
        if number is None:
            return next(iter(self._frames.values()))[0]
        if number not in self._frames:
            raise LookupError("This frame has gone on.")
        return self._frames[number][0]

    def _scopes(self, frame):
        scopes = []
        if frame.f_locals is not frame.f_globals and frame.f_code.co_name != "<module>":
            scopes.append({"kind": "locals", "reference": self._reference("locals", frame, None, frame)})
        scopes.append({"kind": "globals", "reference": self._reference("globals", frame, None, frame)})
        return scopes

    # -------------------------------------------------------------- values

    def _reference(self, how, value, expression, frame):
        number = next(_ids)
        self._shown[number] = (how, value, expression, frame)
        return number

    def _variables(self, question):
        how, value, expression, frame = self._unfolded(question["reference"])
        total, items = _children(how, value)
        start = question.get("start") or 0
        end = start + min(question.get("count") or _MOST_CHILDREN, _MOST_CHILDREN)
        shown = [
            self._item(name, child, _path(expression, how, key), frame)
            for name, key, child in itertools.islice(items, start, end)
        ]
        if question.get("count") is None and end < total:
            shown.append({"name": "…", "value": f"{total - end:,} more", "type": "", "reference": 0})
        return shown

    def _unfolded(self, reference):
        if reference not in self._shown:
            raise LookupError("This value belongs to an earlier stop.")
        return self._shown[reference]

    def _item(self, name, value, expression, frame, long=False):
        how = _sgl_values.way_to_unfold(value)
        item = {"name": name, "type": type(value).__name__, "value": _text(value, long), "reference": 0}
        if how is not None:
            item["reference"] = self._reference(how, value, expression, frame)
            if how == "indexed":
                item["indexed"] = len(value)
        if expression is not None:
            item["expression"] = expression
        return item

    # -------------------------------------------------------------- expressions

    def _evaluate(self, question):
        frame, text = self._frame_of(question), question["text"].strip()
        try:
            code = compile(text, "<debugger>", "eval")
        except SyntaxError:
            if question["context"] != "repl":
                raise
            exec(compile(text, "<debugger>", "exec"), frame.f_globals, frame.f_locals)
            _keep_locals(frame)
            return {"name": "", "type": "", "value": "", "reference": 0}
        value = eval(code, frame.f_globals, frame.f_locals)
        _keep_locals(frame)
        return self._item("", value, text, frame, long=question["context"] in ("repl", "clipboard"))

    def _set(self, question):
        how, owner, expression, frame = self._unfolded(question["reference"])
        value = eval(question["text"].strip(), frame.f_globals, frame.f_locals)
        name = question["name"]
        key = next((key for shown, key, _ in _children(how, owner)[1] if shown == name), name)
        if how == "locals":
            frame.f_locals[name] = value
            _keep_locals(frame)
        elif how == "globals":
            frame.f_globals[name] = value
        elif how == "attributes":
            setattr(owner, name, value)
        elif how in ("items", "indexed", "state"):
            owner[key] = value
        else:
            raise TypeError(f"The elements of a {type(owner).__name__} cannot be set.")
        return self._item(name, value, _path(expression, how, key), frame)


def _keep_locals(frame):
    """Keeps what was written to `frame.f_locals`, of which there is one dict until somebody looks again."""
    if sys.version_info >= (3, 13):
        return  # it writes through
    import ctypes

    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _text(value, long):
    if not long:
        return _sgl_values.short(value)
    if isinstance(value, str) and len(value) <= 10_000:
        return repr(value)
    return _sgl_values.short(value, _Long(), 10_000)


def _children(how, value):
    """As of `_sgl_values.children`, of a frame's scopes too."""
    if how == "locals":
        items = [(name, name, child) for name, child in value.f_locals.items() if not name.startswith(".")]
    elif how == "globals":
        found = list(value.f_globals.items())
        items = [(name, name, child) for name, child in found if _sgl_inspect.is_variable(name, child)]
    else:
        return _sgl_values.children(how, value)
    return len(items), iter(items)


def _path(expression, how, key):
    """The expression of a child; None where there is none."""
    if how in ("locals", "globals"):
        return key
    if expression is None or key is None or how == "elements":
        return None
    if how == "attributes":
        return f"{expression}.{key}"
    return f"{expression}[{key!r}]" if isinstance(key, (str, int)) else None
