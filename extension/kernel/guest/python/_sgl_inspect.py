"""Side questions about the cells' namespace: completion, variables, programs. Never runs user code
on purpose: only names and attributes are looked up, and representations are limited."""

import ast
import builtins
import itertools
import keyword
import re
import sys
import types

import _sgl_cell_source
import _sgl_patience
import _sgl_values

_MOST_COMPLETIONS = 500


def answer(query, namespace, files):
    with _sgl_patience.limited(0):
        return _answer(query, namespace, files)


def _answer(query, namespace, files):
    kind = query["kind"]
    if kind == "complete":
        return _complete(query["code"], query["offset"], namespace)
    if kind == "variables":
        return _variables(query["limit"], query.get("path", ()), query.get("state"), namespace)
    if kind == "programs":
        return _programs(namespace, files)
    if kind == "preview":
        try:
            return _preview(query, namespace)
        except Exception as error:  # said to the user, who wrote the program and its arguments
            return {"refused": str(error)}
    raise ValueError(f"unknown query {kind!r}")


def _complete(code, offset, namespace):
    """Names that fit at `offset` (UTF-16 units from the start, as editors count)."""
    before = code.encode("utf-16-le")[: 2 * offset].decode("utf-16-le", "ignore")
    match = re.search(r"((?:[^\W\d]\w*\.)*)(\w*)$", before)
    path, prefix = match[1].rstrip("."), match[2]
    if path:
        candidates = _attributes(path, namespace)
    else:
        candidates = [*namespace, *vars(builtins), *keyword.kwlist]
    hidden = not prefix.startswith("_")
    names = sorted({name for name in candidates if name.startswith(prefix) and not (hidden and name.startswith("_"))})
    owner = _lookup(path, namespace) if path else None
    items = [{"label": name, "kind": _kind(name, owner, namespace)} for name in names[:_MOST_COMPLETIONS]]
    return {"start": offset - len(prefix), "end": offset, "items": items}


def _lookup(path, namespace):
    first, *rest = path.split(".")
    value = namespace.get(first, getattr(builtins, first, None))
    for name in rest:
        value = _static(value, name)
    return value


def _static(owner, name):
    """An attribute without calling properties or `__getattr__`."""
    import inspect

    try:
        return inspect.getattr_static(owner, name)
    except AttributeError:
        return None


def _attributes(path, namespace):
    value = _lookup(path, namespace)
    return [] if value is None else [name for name in dir(value) if isinstance(name, str)]


def _kind(name, owner, namespace):
    if owner is None:
        if name not in namespace and keyword.iskeyword(name):
            return "keyword"
        value = namespace.get(name, getattr(builtins, name, None))
    else:
        value = _static(owner, name)
    if isinstance(value, type):
        return "class"
    if isinstance(value, types.ModuleType):
        return "module"
    if callable(value) or isinstance(value, (staticmethod, classmethod)):
        return "function"
    return "property" if owner is not None else "variable"


def _variables(limit, path, state, namespace):
    """The user's variables in the order of their definition, or what is inside the value that `path` leads to
    from there by the names that were shown; at most `limit`. A program state's values come as `state`."""
    found = [(name, name, value) for name, value in namespace.items() if is_variable(name, value)]
    total = len(found)
    for step in path:
        value = next((value for name, _, value in found if name == step), None)
        how = _sgl_values.way_to_unfold(value)
        if how is None:
            return {"total": 0, "items": []}
        if how == "state":
            if state is None:
                return {"state": value.stream_executor.sid}
            total, found = _sgl_values.of_state({**state["variables"], **value.stream_executor.local}, state["text"])
        else:
            total, found = _sgl_values.children(how, value)
    items = [_item(name, value) for name, _, value in itertools.islice(found, limit)]
    return {"total": total, "items": items}


def _item(name, value):
    unfolds = _sgl_values.way_to_unfold(value) is not None
    size = _size(value)
    return {
        "name": name,
        "type": type(value).__name__,
        "value": _sgl_values.short(value),
        "size": size,
        "unfolds": unfolds,
    }


def is_variable(name, value):
    if name.startswith("_") or isinstance(value, (types.ModuleType, types.FunctionType, type)):
        return False
    return not _comes_with_sglang(name, value)


def _comes_with_sglang(name, value):
    """Whether ``from sglang import *`` brought it."""
    modules = [module for key, module in sys.modules.items() if key.partition(".")[0] == "sglang"]
    return any(vars(module).get(name) is value for module in modules)


def _size(value):
    return len(value) if isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)) else None


def _programs(namespace, files):
    """SGLang programs: name, parameters and where they were defined."""
    found = []
    for name, value in list(namespace.items()):
        function = getattr(value, "func", None)
        if type(value).__name__ != "SglFunction" or not isinstance(function, types.FunctionType):
            continue
        code = function.__code__
        in_cell = code.co_filename in files
        found.append(
            {
                "name": name,
                "parameters": list(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]),
                "cellId": files.cell_id(code.co_filename) if in_cell else None,
                "line": code.co_firstlineno,
            }
        )
    return {"items": found}


def _preview(query, namespace):
    """Of the program as it is written now (`sources`), or as its cell defined it."""
    name = query["program"]
    value = _defined(query["sources"], name, namespace) if query.get("sources") else namespace.get(name)
    preview = getattr(value, "_preview_prompt", None)
    if preview is None:
        raise ValueError(f"There is no SGLang program named {name}; run its cell first.")
    literals = query.get("literals") or {}
    arguments = {key: ast.literal_eval(text) for key, text in literals.items()}
    return preview(**query["args"], **arguments)


def _defined(sources, name, namespace):
    """The program as the last text defines it, after those of the cells above. They are not run: only
    imports, definitions and constants are made, next to the cells' names, which stay as they are."""
    import sglang

    public = {key: value for key, value in vars(sglang).items() if not key.startswith("_")}
    scope = {**public, "sgl": sglang, "sglang": sglang, **namespace, "__name__": "sglang_preview"}
    problem = None
    *above, own = sources
    for node in [*_definitions(above, namespace), *_parsed(own)]:
        if not _only_defines(node):
            continue
        try:
            exec(compile(ast.Module([node], []), "<preview>", "exec"), scope)
        except Exception as error:
            problem = error
            if getattr(node, "name", None) == name:
                break
    else:
        return scope.get(name)
    raise ValueError(f"{problem}; run the cell that defines it first.") from None


def _parsed(source):
    return ast.parse(_sgl_cell_source.to_python(source)).body


def _definitions(sources, namespace):
    """Of the cells above: what has run already stays as the cells made it; broken text is left out."""
    for source in sources:
        try:
            nodes = _parsed(source)
        except SyntaxError:
            continue
        for node in nodes:
            names = [getattr(node, "name", None)]
            if isinstance(node, ast.Assign):
                names = [getattr(target, "id", None) for target in node.targets]
            if not any(name in namespace for name in names):
                yield node


def _only_defines(node):
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True
