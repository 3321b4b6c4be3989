"""The parameters of a program's function."""

import inspect
import sys

# Since Python 3.14 annotations are evaluated when somebody looks, and may name what does not exist yet.
_UNEVALUATED = {}
if sys.version_info >= (3, 14):
    import annotationlib

    _UNEVALUATED["annotation_format"] = annotationlib.Format.STRING


def parameters_of(func):
    """`inspect.Parameter`s, without a look at what their annotations mean."""
    return list(inspect.signature(func, follow_wrapped=False, **_UNEVALUATED).parameters.values())
