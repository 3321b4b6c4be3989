"""What a value looks like in a notebook: MIME bundles, `display()`, `clear_output()`."""

import base64
import builtins
import itertools
import json
import sys
import types

import _sgl_figures
import _sgl_streams

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}
_ONE_LINE = 80
_ids = itertools.count(1)


def plain_text(value):
    """`repr(value)`, over several lines for long containers. Never raises."""
    try:
        text = repr(value)
        if len(text) > _ONE_LINE and type(value) in (dict, list, tuple, set, frozenset):
            import pprint

            text = pprint.pformat(value, width=_ONE_LINE, sort_dicts=False)
        return text
    except Exception as error:
        return f"<{type(value).__name__} object whose repr() raised {type(error).__name__}: {error}>"


def mime_bundle(value):
    """MIME type → plain data, always with `text/plain`."""
    bundle = {}
    whole = _from_method(value, "_repr_mimebundle_")
    if isinstance(whole, tuple):
        whole = whole[0] if whole else None
    if isinstance(whole, dict):
        bundle.update(whole)
    for mime, method in _METHODS.items():
        if mime not in bundle:
            data = _from_method(value, method)
            if isinstance(data, tuple):
                data = data[0] if data else None
            if data is not None:
                bundle[mime] = data
    if _sgl_figures.is_figure(value):
        bundle["image/png"] = _sgl_figures.png_of(value)
    if "text/plain" not in bundle:
        bundle["text/plain"] = plain_text(value)
    return {mime: _as_data(data) for mime, data in bundle.items()}


def _from_method(value, name):
    # A class has these methods for its instances, and a mock or module may answer every name.
    if isinstance(value, (type, types.ModuleType)) or not hasattr(type(value), name):
        return None
    try:
        return getattr(value, name)()
    except NotImplementedError:
        return None
    except Exception as error:
        print(f"{type(value).__name__}.{name}() raised {type(error).__name__}: {error}", file=sys.stderr)
        return None


def _as_data(data):
    if isinstance(data, (bytes, bytearray, memoryview)):
        return base64.b64encode(data).decode("ascii")
    if isinstance(data, str):
        return data
    try:
        # JSON has no NaN and no infinity: they become null.
        return json.loads(json.dumps(data), parse_constant=lambda _: None)
    except (TypeError, ValueError):
        return plain_text(data)


class DisplayHandle:
    def __init__(self, display_id):
        self.display_id = display_id

    def display(self, value, raw=False):
        _show(value, raw, self.display_id, update=False)

    def update(self, value, raw=False):
        _show(value, raw, self.display_id, update=True)

    def __repr__(self):
        return f"<DisplayHandle display_id={self.display_id}>"


def _show(value, raw, display_id, update):
    data = {mime: _as_data(each) for mime, each in value.items()} if raw else mime_bundle(value)
    data.setdefault("text/plain", "")
    kind = "update" if update else "display"
    _sgl_streams.show({"kind": kind, "data": data, "displayId": display_id})
    _sgl_figures.was_shown(value)


def display(*values, raw=False, display_id=None, **_ignored):
    """Shows each value as the last expression of a cell would be shown."""
    handle = None
    if display_id is not None:
        handle = DisplayHandle(f"display-{next(_ids)}" if display_id is True else str(display_id))
    for value in values:
        _show(value, raw, handle.display_id if handle else None, update=False)
    return handle


def update_display(value, *, display_id, raw=False, **_ignored):
    _show(value, raw, str(display_id), update=True)


def clear_output(wait=False):
    """Removes what the cell has shown so far; with `wait`, when the next output comes."""
    _sgl_streams.show({"kind": "clear", "wait": bool(wait)})


def show_result(value):
    """The value of the cell's last expression. The kernel fills in the execution order."""
    _sgl_streams.show({"kind": "result", "data": mime_bundle(value), "executionOrder": 0})
    _sgl_figures.was_shown(value)


class _Rich:
    """A value shown as one MIME type: `HTML("…")`, `Markdown("…")`."""

    _mime = "text/plain"

    def __init__(self, data=None, **_ignored):
        self.data = data

    def _repr_mimebundle_(self, **_ignored):
        return {self._mime: self.data, "text/plain": self._plain()}

    def _plain(self):
        return self.data if isinstance(self.data, str) else f"<{type(self).__name__}>"


def _rich(name, mime):
    return type(name, (_Rich,), {"_mime": mime})


class Image(_Rich):
    """An image from bytes or a file; PNG, JPEG, GIF and WebP are told apart by their first bytes."""

    def __init__(self, data=None, filename=None, **_ignored):
        path = filename if filename is not None else data if isinstance(data, str) else None
        if path is not None:
            with open(path, "rb") as file:
                data = file.read()
        super().__init__(data)
        self._mime = _image_mime(data)

    def _plain(self):
        return f"<Image, {len(self.data or b'')} bytes>"


def _image_mime(data):
    for start, mime in ((b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp")):
        if data.startswith(start):
            return mime
    return "image/png"


def _ipython_modules():
    """Enough of `IPython.display` for notebooks that import it where IPython is not installed."""
    package = types.ModuleType("IPython")
    module = types.ModuleType("IPython.display")
    module.display = display
    module.update_display = update_display
    module.clear_output = clear_output
    module.DisplayHandle = DisplayHandle
    module.Image = Image
    for name, mime in (
        ("HTML", "text/html"),
        ("Markdown", "text/markdown"),
        ("JSON", "application/json"),
        ("SVG", "image/svg+xml"),
        ("Latex", "text/latex"),
        ("Javascript", "application/javascript"),
        ("Pretty", "text/plain"),
    ):
        setattr(module, name, _rich(name, mime))
    package.__path__ = []
    package.version_info = (8, 0, 0)
    package.display = module
    package.get_ipython = builtins.get_ipython
    tools = types.ModuleType("IPython.core.pylabtools")
    tools.backend2gui = {}  # matplotlib asks it for a way to open windows
    core = types.ModuleType("IPython.core")
    core.__path__, core.pylabtools, package.core = [], tools, core
    return {each.__name__: each for each in (package, module, core, tools)}


def install():
    _sgl_figures.install()
    builtins.display = display
    builtins.clear_output = clear_output
    from importlib.util import find_spec

    if find_spec("IPython") is None:
        sys.modules.update(_ipython_modules())
    else:
        import IPython.display as real

        real.display = display
        real.clear_output = clear_output
        real.update_display = update_display
