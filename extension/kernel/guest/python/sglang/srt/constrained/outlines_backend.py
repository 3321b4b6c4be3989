"""JSON schemas as regular expressions, for servers and gens that take no schema."""

import json
import re

_SPACE = "[ ]?"
_CHARACTER = r'([^"\\\x00-\x1f\x7f-\x9f]|\\["\\/bfnrt])'
_INTEGER = "-?(0|[1-9][0-9]*)"
_SCALARS = {
    "string": f'"{_CHARACTER}*"',
    "integer": _INTEGER,
    "number": rf"{_INTEGER}(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "boolean": "(true|false)",
    "null": "null",
}
_FORMATS = {
    "date": r'"[0-9]{4}-[01][0-9]-[0-3][0-9]"',
    "time": r'"[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"',
    "date-time": r'"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"',
    "uuid": '"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"',
}


def build_regex_from_object(object, whitespace_pattern=None):
    """The regular expression of a JSON schema: a pydantic model class, a dict, or the schema's text.

    Objects have their properties in the order of the schema. NotImplementedError for what no regular
    expression can say: schemas that contain themselves, and values of any type.
    """
    if hasattr(object, "model_json_schema"):
        object = object.model_json_schema()
    schema = json.loads(object) if isinstance(object, str) else object
    return _Writer(schema, _SPACE if whitespace_pattern is None else whitespace_pattern).value(schema, ())


class _Writer:
    def __init__(self, root, space):
        self._root = root
        self._space = space

    def value(self, schema, within):
        """``within``: the references that this schema is a part of."""
        if not isinstance(schema, dict):
            raise NotImplementedError(f"A value of any type has no regular expression: {schema!r}")
        if "$ref" in schema:
            return self._referenced(schema["$ref"], within)
        if "const" in schema:
            return _literal(schema["const"])
        if "enum" in schema:
            return _any_of(_literal(value) for value in schema["enum"])
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return _any_of(self.value(each, within) for each in schema[name])
        if len(schema.get("allOf", ())) == 1:
            return self.value(schema["allOf"][0], within)
        kind = schema.get("type")
        if isinstance(kind, list):
            return _any_of(self.value({**schema, "type": each}, within) for each in kind)
        if kind == "object":
            return self._object(schema, within)
        if kind == "array":
            return self._array(schema, within)
        if kind == "string":
            return _string(schema)
        if kind in _SCALARS:
            return _SCALARS[kind]
        raise NotImplementedError(f"This schema has no regular expression: {json.dumps(schema)[:200]}")

    def _referenced(self, reference, within):
        if reference in within:
            raise NotImplementedError(f"A schema that contains itself ({reference}) has no regular expression.")
        target = self._root
        for part in reference.lstrip("#/").split("/") if reference != "#" else ():
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return self.value(target, (*within, reference))

    def _object(self, schema, within):
        space, required = self._space, set(schema.get("required", ()))
        properties = schema.get("properties")
        if not properties:
            raise NotImplementedError("An object with any properties has no regular expression.")
        items = [
            (f"{_literal(name)}{space}:{space}{self.value(each, within)}", name in required)
            for name, each in properties.items()
        ]
        comma = f"{space},{space}"
        first = next((i for i, (_, needed) in enumerate(items) if needed), None)
        if first is None:
            starts = (self._from(items, start, comma) for start in range(len(items)))
            body = f"({_any_of(starts)})?"
        else:
            before = "".join(f"({item}{comma})?" for item, _ in items[:first])
            body = before + self._from(items, first, comma)
        return rf"\{{{space}{body}{space}\}}"

    @staticmethod
    def _from(items, start, comma):
        """The item at ``start`` and what may or must follow it."""
        rest = "".join(f"{comma}{item}" if needed else f"({comma}{item})?" for item, needed in items[start + 1 :])
        return items[start][0] + rest

    def _array(self, schema, within):
        space = self._space
        if "prefixItems" in schema:
            body = f"{space},{space}".join(self.value(each, within) for each in schema["prefixItems"])
            return rf"\[{space}{body}{space}\]"
        item = self.value(schema.get("items"), within)
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return rf"\[{space}\]"
        more = _repeated(f"({space},{space}{item})", max(least - 1, 0), None if most is None else most - 1)
        body = f"{item}{more}"
        return rf"\[{space}{body if least else f'({body})?'}{space}\]"


def _string(schema):
    if "pattern" in schema:
        pattern = schema["pattern"]
        inner = pattern[1:] if pattern.startswith("^") else pattern
        inner = inner[:-1] if inner.endswith("$") and not inner.endswith("\\$") else inner
        return f'"({inner})"'
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    return f'"{_repeated(_CHARACTER, least, most)}"'


def _repeated(pattern, least, most):
    if most is None:
        return f"{pattern}*" if least == 0 else f"{pattern}{{{least},}}"
    return f"{pattern}{{{least},{most}}}"


def _any_of(patterns):
    return f"({'|'.join(patterns)})"


def _literal(value):
    return re.escape(json.dumps(value, ensure_ascii=False))
