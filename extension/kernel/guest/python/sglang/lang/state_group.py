"""Forks of a state, and how their results come back."""

from sglang._errors import failed
from sglang.lang.ir import SglExpr


class _FailedItem:
    """Stands for a joined variable that one of the forks failed to generate."""

    def __init__(self, name, index, error):
        self.name, self.index, self.error = name, index, error

    def exception(self):
        problem = failed(self.name, self.error)
        problem.reason = f"fork {self.index} failed: {problem.reason}"
        return problem


def value_of(value):
    if isinstance(value, _FailedItem):
        raise value.exception()
    return value


def check_mode(mode):
    if mode not in ("gather_variable", "concate_and_append"):
        raise ValueError(f"Invalid join mode: {mode}")


class ProgramStateGroup:
    """The states made by a fork."""

    def __init__(self, states, src_state=None):
        self.states = states
        self.src_state = src_state

    def join(self, mode="gather_variable"):
        """Waits for the forks and brings their results to the state they came from.

        ``gather_variable``: every variable that is new in the forks becomes a list, in the order of
        the forks. ``concate_and_append``: the forks' texts are appended, one after the other.
        """
        check_mode(mode)
        parent = self.src_state.stream_executor
        existing = set(parent.variables) if mode == "gather_variable" else set()
        self._joined(existing, parent.call("join", ids=self._ids(), mode=mode), mode)

    def _ids(self):
        return [state.stream_executor.sid for state in self.states]

    def _joined(self, existing, answers, mode):
        parent = self.src_state.stream_executor
        if mode == "gather_variable":
            self._gather(parent, existing, answers)

    def _gather(self, parent, existing, answers):
        found = []
        for state, answer in zip(self.states, answers):
            found.append({**answer["variables"], **state.stream_executor.local})
        names = dict.fromkeys(name for variables in found for name in variables)
        for name in names:
            if name in existing:
                continue
            parent.local[name] = [variables[name] for variables in found if name in variables]
            for index, (variables, answer) in enumerate(zip(found, answers)):
                if answer["error"] is not None and name not in variables:
                    parent.local[name] = _FailedItem(name, index, answer["error"])
        errors = [(i, answer["error"]) for i, answer in enumerate(answers) if answer["error"]]
        if errors and not any(name not in existing for name in names):
            parent.post("submit", exprs=[{"t": "bad", "error": errors[0][1]}])

    def __getitem__(self, index):
        return self.states[index]

    def __setitem__(self, index, value):
        assert self.states[index] == value

    def __len__(self):
        return len(self.states)

    def __iter__(self):
        return iter(self.states)

    def __iadd__(self, other):
        if isinstance(other, SglExpr):
            for state in self.states:
                state += other
        elif callable(other):
            for index, state in enumerate(self.states):
                state += other(index)
        elif isinstance(other, (list, tuple)):
            for index, state in enumerate(self.states):
                state += other[index]
        else:
            raise ValueError(f"Invalid value: {other}")
        return self
