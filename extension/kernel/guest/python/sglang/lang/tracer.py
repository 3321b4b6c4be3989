"""Tracing: the expressions of a program for given arguments, without generating anything."""

import contextlib
import contextvars
import itertools

from sglang.lang.backend.base_backend import BaseBackend
from sglang.lang.function import known_backend, tracing
from sglang.lang.interpreter import ProgramState, ProgramStateGroup
from sglang.lang.ir import SglConstantText, SglExpr, SglExprList, SglGen, SglRoleBegin, SglRoleEnd, SglSelect
from sglang.lang.state_group import check_mode

# The state of the program whose trace this is within.
_states = contextvars.ContextVar("sglang_traced_state", default=None)


class SglArgument(SglExpr):
    """A parameter without a value. It can be appended, but no program logic can look into it."""

    def __init__(self, name, value=None):
        super().__init__()
        self.name = name
        self.value = value

    def _open(self, what):
        if self.value is None:
            raise TypeError(f"The argument {self.name!r} has no value in a trace: {what}")
        return self.value

    def __len__(self):
        return len(self._open("it has no length"))

    def __getitem__(self, index):
        return self._open("it has no items")[index]

    def __int__(self):
        return int(self._open("it is no number"))

    def __bool__(self):
        return bool(self._open("it is neither true nor false"))

    def __format__(self, format_spec):
        raise TypeError(
            "Cannot put argument inside a f-string. This is not compatible with the tracer. "
        )

    def __repr__(self):
        return f"Argument(name={self.name}, value={self.value!r})"


class SglVariable(SglExpr):
    """A value that a traced program reads."""

    def __init__(self, name, source):
        super().__init__()
        self.name = name
        self.source = source

    def __repr__(self):
        return f"Variable({self.name!r}, source=%{self.source.node_id})"


class SglFork(SglExpr):
    """Where a traced program forks."""

    def __init__(self, number, position_ids_offset=None):
        super().__init__()
        self.number = number
        self.position_ids_offset = position_ids_offset

    def __repr__(self):
        return f"number={self.number}, position_ids_offset={self.position_ids_offset}"


class SglGetForkItem(SglExpr):
    """Where one of the forks begins."""

    def __init__(self, index):
        super().__init__()
        self.index = index

    def __repr__(self):
        return f"index={self.index}"


class _Node:
    """One line of the graph: an expression and the node before it."""

    _ids = itertools.count(1)

    def __init__(self, expr, prev_node):
        self.node_id = next(_Node._ids)
        self.expr = expr
        self.prev_node = prev_node

    def __repr__(self):
        return repr(self.expr)

    def print_graph_dfs(self):
        """The graph up to this node, with what its values come from, one node a line: ``%3 = %2 + Gen('x')``."""
        lines, seen, open_nodes = [], set(), [(self, False)]
        while open_nodes:
            node, ready = open_nodes.pop()
            if ready:
                lines.append(_line(node) + "\n")
            elif node is not None and node.node_id not in seen:
                seen.add(node.node_id)
                source = node.expr.source if isinstance(node.expr, SglVariable) else None
                open_nodes += [(node, True), (source, False), (node.prev_node, False)]
        return "".join(lines)


def _line(node):
    before = "" if node.prev_node is None else f"%{node.prev_node.node_id}"
    if isinstance(node.expr, SglFork):
        return f"%{node.node_id} = Fork({before or '%None'}, {node.expr!r})"
    if isinstance(node.expr, SglGetForkItem):
        return f"%{node.node_id} = GetForkItem({before}, {node.expr!r})"
    return f"%{node.node_id} = {before and before + ' + '}{node.expr!r}"


class TracerProgramState(ProgramState):
    """Stands for ``s``: remembers what is appended. Roles become the template's text."""

    def __init__(self, template, arguments, parent=None):
        self.chat_template = template
        self.arguments = arguments
        # The states of programs that were called within this one.
        self.child_states = []
        self.last_node = None if parent is None else parent.last_node
        self.nodes = [] if parent is None else list(parent.nodes)
        self.messages_ = [] if parent is None else list(parent.messages_)
        self.variables = {} if parent is None else dict(parent.variables)
        self.ret_value = None

    def __iadd__(self, other):
        if other is None:
            raise ValueError("Tried to append None to state.")
        self._append(other)
        return self

    def _append(self, expr):
        if isinstance(expr, str):
            expr = SglConstantText(expr)
        if isinstance(expr, SglExprList):
            for part in expr.expr_list:
                self._append(part)
        elif isinstance(expr, SglRoleBegin):
            self._begin(expr.role)
        elif isinstance(expr, SglRoleEnd):
            self._text(self._affixes(expr.role)[1])
            self.messages_.append({"role": expr.role})
        elif isinstance(expr, SglExpr):
            self._add(expr)
        else:
            raise ValueError(f"Invalid type: {type(expr)}")

    def _begin(self, role):
        prompt = self.chat_template.default_system_prompt
        if not self.messages_ and role != "system" and prompt is not None:
            self._append(SglExprList([SglRoleBegin("system"), prompt, SglRoleEnd("system")]))
        self._text(self._affixes(role)[0])

    def _affixes(self, role):
        return self.chat_template.get_prefix_and_suffix(role, self.messages_)

    def _text(self, text):
        if text:
            self._add(SglConstantText(text))

    def _add(self, expr):
        self.last_node = _Node(expr, self.last_node)
        self.nodes.append(self.last_node)
        if isinstance(expr, (SglGen, SglSelect)):
            kind = "gen" if isinstance(expr, SglGen) else "select"
            name = f"{kind}_{len(self.variables)}" if expr.name is None else expr.name
            self.variables[name] = SglVariable(name, self.last_node)

    def __getitem__(self, name):
        return self.get_var(name)

    def get_var(self, name):
        """An argument of the program, or a variable."""
        argument = self.arguments.get(name)
        return self.variables[name] if argument is None else argument

    def set_var(self, name, value):
        self.variables[name] = value

    def flatten_nodes(self):
        return [node.expr for node in self.nodes]

    def __setitem__(self, name, value):
        self.variables[name] = value

    def __contains__(self, name):
        return name in self.variables

    def _role(self, name, expr):
        if expr is not None:
            block = SglExprList([SglRoleBegin(name), expr, SglRoleEnd(name)])
            self._append(block)
            return block

        @contextlib.contextmanager
        def scope():
            self._append(SglRoleBegin(name))
            yield
            self._append(SglRoleEnd(name))

        return scope()

    def system(self, expr=None):
        return self._role("system", expr)

    def user(self, expr=None):
        return self._role("user", expr)

    def assistant(self, expr=None):
        return self._role("assistant", expr)

    @contextlib.contextmanager
    def var_scope(self, name):
        first = len(self.nodes)
        yield
        self.variables[name] = SglVariable(name, self.nodes[first] if self.nodes[first:] else None)

    def fork(self, size=1, position_ids_offset=None):
        fork = _Node(SglFork(size, position_ids_offset), self.last_node)
        states = [TracerProgramState(self.chat_template, self.arguments, self) for _ in range(size)]
        for index, state in enumerate(states):
            state.last_node = _Node(SglGetForkItem(index), fork)
        return _TracerGroup(ProgramStateGroup(states, self))

    def sync(self):
        pass

    def __repr__(self):
        return f"TracerProgramState({self.flatten_nodes()})"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": repr(self)}


class _TracerGroup:
    def __init__(self, group):
        self._group = group
        self.states = group.states

    def join(self, mode="gather_variable"):
        check_mode(mode)
        variables = self._group.src_state.variables
        names = dict.fromkeys(name for state in self.states for name in state.variables if name not in variables)
        for name in names:
            variables[name] = [state.variables[name] for state in self.states if name in state.variables]

    def __getitem__(self, index):
        return self.states[index]

    def __setitem__(self, index, value):
        assert self.states[index] == value

    def __len__(self):
        return len(self.states)

    def __iadd__(self, other):
        self._group.__iadd__(other)
        return self


def trace_program(program, arguments, backend):
    """The traced state of a program; parameters without a value are left open."""
    backend = _known_backend(backend)
    open_arguments = {name: SglArgument(name) for name in program.arg_names if name not in arguments}
    arguments = {**open_arguments, **arguments}
    state = TracerProgramState(backend.chat_template, arguments)
    caller = _states.get()
    if caller is not None:
        caller.child_states.append(state)
    tokens = tracing.set(backend), _states.set(state)
    try:
        state.ret_value = program.func(state, **arguments)
    finally:
        tracing.reset(tokens[0])
        _states.reset(tokens[1])
    return state


def _known_backend(backend):
    """The one that a run would have; a trace needs none, only a template."""
    return known_backend(backend) or BaseBackend()
