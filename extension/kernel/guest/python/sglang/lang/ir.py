"""The expressions that programs append to their state.

They only describe; the kernel executes them. Each knows its form on the bridge (``wire``), which
``bridge-protocol.ts`` defines.
"""

import base64
import copy
import io
import itertools
import os
import re
import sys

from sglang import _transport
from sglang.lang.choices import select_wire, token_length_normalized
from sglang.lang.sampling_params import SglSamplingParams

REGEX_INT = r"[-+]?[0-9]+[ \n]*"
REGEX_FLOAT = r"[-+]?[0-9]*\.?[0-9]+[ \n]*"
REGEX_BOOL = r"(True|False)"
REGEX_STR = r"\"[\w\d\s]*\""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _position():
    """File and line of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return None if frame is None else [frame.f_code.co_filename, frame.f_lineno]


class SglExpr:
    """A piece of a program's prompt. Pieces and strings are joined with ``+``."""

    _node_ids = itertools.count(1)

    def __init__(self):
        self.node_id = next(SglExpr._node_ids)
        self.prev_node = None

    def __add__(self, other):
        return self.concatenate_ir(self, _operand(other))

    def __radd__(self, other):
        return self.concatenate_ir(_operand(other), self)

    def concatenate_ir(self, a, b):
        return SglExprList(_items(a) + _items(b))

    def wire(self):
        """The expression's form on the bridge; those that only traces have fail when they are executed."""
        message = f"{self!r} is part of a trace and cannot be appended to a program that runs"
        return {"t": "bad", "error": {"type": "ValueError", "message": message}}

    def print_graph_dfs(self):
        """The expression as a line; the graph of a whole program is that of ``trace().last_node``."""
        return f"%{self.node_id} = {self!r}\n"


def _operand(value):
    if isinstance(value, str):
        return SglConstantText(value)
    assert isinstance(value, SglExpr), f"{value}: only text and expressions can be joined, not {type(value).__name__}"
    return value


def _items(expr):
    return expr.expr_list if isinstance(expr, SglExprList) else [expr]


def wire_list(expr):
    """The flat list of wire expressions of what a program appends.

    Something that is not an expression fails only when the state executes it, as in SGLang.
    """
    if isinstance(expr, str):
        return [{"t": "text", "v": str(expr)}]  # that of a subclass, such as an enumeration's, may differ
    if isinstance(expr, SglExprList):
        return [item for part in expr.expr_list for item in wire_list(part)]
    if isinstance(expr, SglSeparateReasoning):
        return []  # its gens know
    if isinstance(expr, SglExpr):
        return [expr.wire()]
    message = f"{expr}: only text and expressions can be appended to a state, not {type(expr).__name__}"
    return [{"t": "bad", "error": {"type": "AssertionError", "message": message}}]


class SglExprList(SglExpr):
    def __init__(self, expr_list):
        super().__init__()
        self.expr_list = expr_list

    def __repr__(self):
        return f"ExprList({self.expr_list})"


class SglConstantText(SglExpr):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def wire(self):
        return {"t": "text", "v": str(self.value)}

    def __repr__(self):
        return f"Constant({self.value!r})"


_DTYPES = {int: "int", float: "float", str: "str", bool: "bool"}


class SglGen(SglExpr):
    """Text that the model generates."""

    def __init__(
        self,
        name=None,
        max_new_tokens=None,
        min_new_tokens=None,
        stop=None,
        stop_token_ids=None,
        temperature=None,
        top_p=None,
        top_k=None,
        min_p=None,
        frequency_penalty=None,
        presence_penalty=None,
        ignore_eos=None,
        return_logprob=None,
        logprob_start_len=None,
        top_logprobs_num=None,
        return_text_in_logprobs=None,
        dtype=None,
        regex=None,
        json_schema=None,
        n=None,
        stop_regex=None,
        extensions=None,
    ):
        super().__init__()
        check_name(name)
        self.name = name
        self.reasoning = None
        self._at = _position()
        self.sampling_params = SglSamplingParams(
            max_new_tokens,
            min_new_tokens,
            list(stop) if isinstance(stop, (list, tuple)) else stop,
            stop_token_ids,
            temperature,
            top_p,
            top_k,
            min_p,
            frequency_penalty,
            presence_penalty,
            ignore_eos,
            return_logprob,
            logprob_start_len,
            top_logprobs_num,
            return_text_in_logprobs,
            json_schema,
            _DTYPES.get(dtype, dtype) if dtype.__hash__ else dtype,
            regex,
            n,
            stop_regex,
            extensions,
        )

    def wire(self):
        sampling = self.sampling_params.wire()
        if "dtype" in sampling:
            sampling["dtype"] = str(sampling["dtype"])
        wire = {"t": "gen", "name": self.name, "sampling": sampling, "at": self._at}
        return wire if self.reasoning is None else {**wire, "reasoning": self.reasoning}

    def __repr__(self):
        return f"Gen({self.name!r})"


class SglSelect(SglExpr):
    """A decision between given choices."""

    def __init__(self, name, choices, temperature, choices_method=token_length_normalized):
        super().__init__()
        check_name(name)
        if not callable(choices_method):
            raise TypeError(f"choices_method must be a ChoicesSamplingMethod or another callable, not {choices_method!r}")
        self.name = name
        self.choices = choices
        self.temperature = temperature
        self.choices_method = choices_method
        self._at = _position()

    def wire(self):
        fields = {
            "t": "select",
            "name": self.name,
            "choices": list(self.choices),
            "temperature": self.temperature,
            "at": self._at,
        }
        return select_wire(fields, self.choices_method)

    def __repr__(self):
        return f"Select({self.name}, choices={self.choices}, choices_method={self.choices_method})"


class SglRoleBegin(SglExpr):
    def __init__(self, role):
        super().__init__()
        self.role = role

    def wire(self):
        return {"t": "begin", "role": self.role}

    def __repr__(self):
        return f"RoleBegin({self.role})"


class SglRoleEnd(SglExpr):
    def __init__(self, role):
        super().__init__()
        self.role = role

    def wire(self):
        return {"t": "end", "role": self.role}

    def __repr__(self):
        return f"RoleEnd({self.role})"


class SglImage(SglExpr):
    """An image: a file name, a data: or http(s): URL, the file's bytes, or a PIL image."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def wire(self):
        if isinstance(self.path, (bytes, bytearray, memoryview)):
            data = bytes(self.path)
        elif hasattr(self.path, "save"):
            data = _png(self.path)
        elif isinstance(self.path, str) and self.path.lower().startswith(("data:", "http://", "https://")):
            return {"t": "image", "path": self.path, "base64": None}
        elif not isinstance(self.path, (str, os.PathLike)):
            message = f"image() takes a file name, a URL, bytes or a PIL image, not {self.path!r}"
            return {"t": "bad", "error": {"type": "TypeError", "message": message}}
        else:
            return {"t": "image", "path": _transport.real_path(os.fspath(self.path)), "base64": None}
        return {"t": "image", "path": None, "base64": base64.b64encode(data).decode("ascii")}

    def __repr__(self):
        return f"SglImage({self.path})"


def _png(picture):
    """A PIL image as a file; colour models that PNG does not have, such as CMYK, become RGB."""
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format="PNG")
    except (OSError, ValueError):
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, format="PNG")
    return buffer.getvalue()


class SglVideo(SglExpr):
    def __init__(self, path, num_frames):
        super().__init__()
        self.path = path
        self.num_frames = num_frames

    def wire(self):
        return {"t": "video", "path": _transport.real_path(os.fspath(self.path)), "frames": int(self.num_frames)}

    def __repr__(self):
        return f"SglVideo({self.path}, {self.num_frames})"


class SglCommitLazy(SglExpr):
    """Has the server compute the text so far."""

    def wire(self):
        return {"t": "commit"}

    def __repr__(self):
        return "CommitLazy()"


class SglConcateAndAppend(SglExpr):
    """Appends the texts of forks: what ``forks.join("concate_and_append")`` does."""

    def __init__(self, states):
        super().__init__()
        self.states = states

    def wire(self):
        message = 'ConcateAndAppend cannot be appended; call forks.join("concate_and_append")'
        return {"t": "bad", "error": {"type": "NotImplementedError", "message": message}}

    def __repr__(self):
        return f"ConcatenateAndAppend('{self.states}')"


class SglVarScopeBegin(SglExpr):
    def __init__(self, name):
        super().__init__()
        check_name(name)
        self.name = name

    def wire(self):
        return {"t": "scope_begin", "name": self.name}

    def __repr__(self):
        return f"VarScopeBegin({self.name!r})"


class SglVarScopeEnd(SglExpr):
    def __init__(self, name):
        super().__init__()
        check_name(name)
        self.name = name

    def wire(self):
        return {"t": "scope_end", "name": self.name}

    def __repr__(self):
        return f"VarScopeEnd({self.name!r})"


REASONING_MODELS = (
    "deepseek-r1",
    "deepseek-v3",
    "glm45",
    "gpt-oss",
    "kimi",
    "kimi_k2",
    "qwen3",
    "qwen3-thinking",
    "minimax",
    "minimax-append-think",
    "step3",
)


class SglSeparateReasoning(SglExpr):
    """Ends an expression whose gens keep their reasoning in a variable of its own."""

    def __init__(self, model_type, expr):
        super().__init__()
        self.model_type = model_type
        self.expr = expr
        gens = [part for part in _items(expr) if isinstance(part, SglGen)]
        self.name = None if not gens else self.process_name_for_reasoning(gens[-1].name)

    @staticmethod
    def process_name_for_reasoning(name):
        return f"{name}_reasoning_content"

    def __repr__(self):
        return f"SeparateReasoning(model_type={self.model_type}, name={self.name})"


def with_reasoning(expr, model_type):
    """A copy of an expression whose gens separate their reasoning."""
    if isinstance(expr, SglExprList):
        return SglExprList([with_reasoning(part, model_type) for part in expr.expr_list])
    if not isinstance(expr, SglGen):
        return expr
    marked = copy.copy(expr)
    marked.reasoning = model_type
    return marked


def is_name(name):
    """Whether a gen can have this name."""
    return name is None or isinstance(name, str)


def check_name(name):
    """Raises TypeError when a gen cannot have this name."""
    if not is_name(name):
        raise TypeError(f"the name of a variable must be text, not {name!r}")


def check_regex(regex):
    """Raises ``re.error`` when the expression is not one."""
    if regex is not None:
        re.compile(regex)


def __getattr__(name):
    if name == "SglFunction":
        from sglang.lang import function

        return function.SglFunction
    if name in ("SglArgument", "SglVariable", "SglFork", "SglGetForkItem"):
        from sglang.lang import tracer

        return getattr(tracer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
