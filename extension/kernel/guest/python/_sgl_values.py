"""What is inside a value, without running code of its class: elements, items, attributes."""

import reprlib

_CHARACTERS = 200

_limited = reprlib.Repr()
_limited.maxlist = _limited.maxtuple = _limited.maxdict = _limited.maxset = 8
_limited.maxstring = _limited.maxother = _CHARACTERS


def short(value, limits=_limited, most=_CHARACTERS):
    """A representation of limited length, whatever the value does."""
    if type(value).__module__.partition(".")[0] == "sglang":
        return f"<{type(value).__name__}>"  # its text may not be there yet
    try:
        text = limits.repr(value)
    except Exception as error:
        text = f"<repr() raised {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"


def way_to_unfold(value):
    if value is None or isinstance(value, (str, bytes, int, float, complex, type)):
        return None
    if isinstance(value, (list, tuple)):
        return "indexed" if value else None
    if isinstance(value, dict):
        return "items" if value else None
    if isinstance(value, (set, frozenset)):
        return "elements" if value else None
    if _is_state(value):
        return "state"
    return "attributes" if _attributes(value) else None


def _is_state(value):
    return type(value).__module__.partition(".")[0] == "sglang" and hasattr(type(value), "get_var")


def children(how, value):
    """Their number, and an iterator over triples of shown name, key and value."""
    if how in ("indexed", "elements"):
        return len(value), ((f"[{index}]", index, child) for index, child in enumerate(value))
    if how == "items":
        return len(value), ((short(key), key, child) for key, child in value.items())
    if how == "state":
        return of_state(value.stream_executor.variables, value.stream_executor.text_)
    found = _attributes(value)
    return len(found), ((name, name, child) for name, child in found)


def of_state(variables, text):
    """As of `children`: a state's variables so far, and its text so far."""
    found = [(repr(name), name, child) for name, child in variables.items()]
    return len(found) + 1, iter([*found, ("text", None, text)])


def _attributes(value):
    """What an object holds, without calling its properties."""
    found = []
    try:
        held = object.__getattribute__(value, "__dict__")
        found += [(name, child) for name, child in list(held.items()) if isinstance(name, str)]
    except Exception:  # an object without a dictionary, or one that hides it
        pass
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                found.append((name, object.__getattribute__(value, name)))
            except AttributeError:
                continue
    return [(name, child) for name, child in found if not name.startswith("__")]
