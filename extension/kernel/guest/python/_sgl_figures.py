"""Figures of matplotlib, as images below the cell: the hook that makes that its way of showing them.

As in other notebooks, a cell's open figures are shown by ``plt.show()`` or at the cell's end, and closed.
"""

import base64
import io
import os
import sys

import _sgl_imports
import _sgl_streams

_BACKEND = "module://_sgl_matplotlib_backend"


def _choose_backend(matplotlib):
    """Unless the user has chosen one."""
    if not os.environ.get("MPLBACKEND"):
        matplotlib.rcParams["backend"] = _BACKEND


def install():
    _sgl_imports.when_imported("matplotlib", _choose_backend)


def show(*_arguments, **_ignored):
    """``plt.show()``: every open figure, which is closed then."""
    import matplotlib.pyplot

    for number in matplotlib.pyplot.get_fignums():
        figure = matplotlib.pyplot.figure(number)
        data = {"image/png": base64.b64encode(png_of(figure)).decode("ascii"), "text/plain": repr(figure)}
        _sgl_streams.show({"kind": "display", "data": data, "displayId": None})
    matplotlib.pyplot.close("all")


def flush():
    """At a cell's end: what the program left open."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and pyplot.get_fignums() and sys.modules["matplotlib"].rcParams["backend"] == _BACKEND:
        show()


def png_of(figure):
    data = io.BytesIO()
    figure.savefig(data, format="png", bbox_inches="tight")
    return data.getvalue()


def is_figure(value):
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def was_shown(value):
    """A figure that a cell shows itself is not shown again at the cell's end."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and is_figure(value):
        pyplot.close(value)
