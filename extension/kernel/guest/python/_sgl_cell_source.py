"""Turns a cell's text into Python: shell lines, magics and `name?`. Pure text in, text out.

Line numbers never change, so tracebacks point into the cell as it was written. Only the start of a
logical line can be rewritten: what lies inside a string, a bracket or a continuation is left alone.
"""

import re

# The name under which the rewritten lines find their functions; see `_sgl_shell.py`.
SHELL = "get_ipython()"

_SPECIAL = re.compile(r"(?P<indent>[ \t]*)(?:(?P<kind>!!|!)[ \t]*(?P<rest>[^\s=].*)|%(?P<magic>[A-Za-z_].*))", re.S)
_ASSIGNED = re.compile(
    r"(?P<indent>[ \t]*)(?P<target>[A-Za-z_][\w., \t\[\]'\"*]*?)[ \t]*=[ \t]*"
    r"(?:(?P<kind>!)[ \t]*(?P<rest>[^\s=].*)|%(?P<magic>[A-Za-z_].*))",
    re.S,
)
_HELP = re.compile(r"[ \t]*(?:\?{1,2}(?P<before>[\w.]+)|(?P<after>[A-Za-z_][\w.]*)\?{1,2})[ \t]*(?:#.*)?")


def split_cell_magic(source):
    """`(name, arguments, body)` of a cell that begins with `%%name`, else `None`.

    The body keeps the cell's line numbers: the lines up to the magic are empty.
    """
    lines = source.split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    match = re.fullmatch(r"%%(\w+)(?:[ \t]+(.*?))?[ \t\r]*", lines[first])
    if match is None:
        return None
    body = "\n" * (first + 1) + "\n".join(lines[first + 1 :])
    return match[1], match[2] or "", body


def to_python(source):
    lines = source.split("\n")
    scanner = _Scanner()
    result = []
    index = 0
    while index < len(lines):
        rewritten, used = (None, 1) if scanner.inside else _rewrite(lines, index)
        if rewritten is None:
            result.append(lines[index])
            scanner.feed(lines[index])
        else:
            result.append(rewritten)
            result.extend([""] * (used - 1))
        index += used
    return "\n".join(result)


def _rewrite(lines, index):
    """The Python for the logical line at `index` and how many lines it spans; `None`: it is Python."""
    line = lines[index].rstrip("\r")
    help_line = _HELP.fullmatch(line)
    if help_line:
        indent = line[: len(line) - len(line.lstrip())]
        return f"{indent}{SHELL}.help({help_line['before'] or help_line['after']!r})", 1
    match = _SPECIAL.fullmatch(line) or _ASSIGNED.fullmatch(line)
    if match is None:
        return None, 1
    command, used = _with_continuations(match["rest"] or match["magic"], lines, index)
    target = match.groupdict().get("target")
    assignment = f"{target} = " if target else ""
    return match["indent"] + assignment + _shell_call(match["kind"], command, captured=bool(target)), used


def _with_continuations(command, lines, index):
    used = 1
    while command.endswith("\\") and index + used < len(lines):
        command = command[:-1] + lines[index + used].rstrip("\r")
        used += 1
    return command, used


def _shell_call(kind, command, captured):
    if kind is None:
        name, _, arguments = command.partition(" ")
        return f"{SHELL}.run_line_magic({name!r}, {arguments.strip()!r})"
    method = "getoutput" if captured or kind == "!!" else "system"
    return f"{SHELL}.{method}({command!r})"


class _Scanner:
    """Knows after each line whether the next one continues a string, a bracket or a backslash."""

    def __init__(self):
        self._quote = None
        self._depth = 0
        self._continued = False

    @property
    def inside(self):
        return self._quote is not None or self._depth > 0 or self._continued

    def feed(self, line):
        self._continued = False
        position = 0
        while position < len(line):
            position = self._skip_string(line, position) if self._quote else self._step(line, position)
        # Only a triple-quoted string, or a backslash at the very end, reaches the next line.
        if self._quote is not None and len(self._quote) == 1 and not self._continued:
            self._quote = None

    def _skip_string(self, line, position):
        while position < len(line):
            if line[position] == "\\":
                self._continued = position + 1 == len(line)
                position += 2
            elif line.startswith(self._quote, position):
                position += len(self._quote)
                self._quote = None
                return position
            else:
                position += 1
        return position

    def _step(self, line, position):
        character = line[position]
        if character == "#":
            return len(line)
        if character in "'\"":
            self._quote = character * 3 if line.startswith(character * 3, position) else character
            return position + len(self._quote)
        if character in "([{":
            self._depth += 1
        elif character in ")]}":
            self._depth = max(0, self._depth - 1)
        elif character == "\\" and not line[position + 1 :].strip():
            self._continued = True
        return position + 1
