"""The part of a program's prompt that is the same for all arguments, read from its source.

SGLang finds it by running the program once more with dummy arguments, which repeats its side
effects. Here nothing runs: the leading ``s += …`` statements are followed as long as they consist of
string constants, f-strings of constants, bound or global strings, ``+`` and the role functions.
"""

import ast
import builtins
import inspect
import textwrap

from sglang.lang.parameters import parameters_of

_ROLES = ("system", "user", "assistant")


class _Stop(Exception):
    """What follows is not constant."""


def constant_prefix(func, bound):
    """Wire expressions of the constant prefix of ``func``; empty when there is none to see."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(func)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return []
    node = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)), None)
    if node is None:
        return []
    reader = _Reader(func, bound)
    try:
        for statement in node.body:
            reader.statement(statement)
    except _Stop:
        pass
    return reader.exprs


def _plain(formatted):
    """The expression of ``{…}`` in an f-string without conversion or format."""
    if formatted.conversion != -1 or formatted.format_spec is not None:
        raise _Stop
    if not isinstance(formatted.value, ast.Name):
        raise _Stop
    return formatted.value


class _Reader:
    def __init__(self, func, bound):
        closure = inspect.getclosurevars(func)
        self.parameters = {each.name for each in parameters_of(func)}
        self.names = {**closure.globals, **closure.nonlocals}
        self.bound = bound
        self.exprs = []

    def statement(self, node):
        if isinstance(node, ast.Pass):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        appends = (
            isinstance(node, ast.AugAssign)
            and isinstance(node.op, ast.Add)
            and isinstance(node.target, ast.Name)
            and node.target.id == "s"
        )
        if not appends:
            raise _Stop
        self.append(node.value)

    def append(self, node):
        """Adds what is constant of an expression; raises _Stop where it ends."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            self.append(node.left)
            self.append(node.right)
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                self.append(part)
        elif isinstance(node, ast.FormattedValue):
            self.append(_plain(node))
        else:
            self.exprs.append({"t": "text", "v": self.text(node)})

    def call(self, node):
        role, part = self.role_of(node.func)
        if node.keywords or len(node.args) > (1 if part == "both" else 0):
            raise _Stop
        if part != "end":
            self.exprs.append({"t": "begin", "role": role})
        if node.args:
            self.append(node.args[0])
        if part != "begin":
            self.exprs.append({"t": "end", "role": role})

    def role_of(self, node):
        """Which role function a call names: ``user``, ``sgl.user``, ``user_begin``, …"""
        from sglang import api

        called = self.resolve(node)
        for role in _ROLES:
            for suffix, part in (("", "both"), ("_begin", "begin"), ("_end", "end")):
                if called is getattr(api, role + suffix):
                    return role, part
        raise _Stop

    def resolve(self, node):
        if isinstance(node, ast.Name) and node.id not in self.parameters:
            found = self.names.get(node.id, getattr(builtins, node.id, None))
            if found is not None:
                return found
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self.resolve(node.value)
            if inspect.ismodule(module) and hasattr(module, node.attr):
                return getattr(module, node.attr)
        raise _Stop

    def text(self, node):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.Name) and node.id in self.bound:
            value = self.bound[node.id]
        elif isinstance(node, ast.Name):
            value = self.resolve(node)
        else:
            raise _Stop
        if not isinstance(value, str):
            raise _Stop
        return value
