"""HTTP for people, in the bundled Python: the part of requests' interface that programs use.

WebAssembly has no sockets, so the kernel sends the requests. If you install requests itself, or choose
a Python of your own, that one is used.
"""

from http import HTTPStatus as _HTTPStatus

from . import auth, exceptions, models, structures
from .exceptions import (
    ConnectionError,
    ConnectTimeout,
    HTTPError,
    JSONDecodeError,
    ReadTimeout,
    RequestException,
    Timeout,
    TooManyRedirects,
    URLRequired,
)
from .models import PreparedRequest, Request, Response
from .sessions import Session

__version__ = "2.32.5+sglang.notebooks"

_session = Session()
_codes = {"ok": 200, **{status.name.lower(): status.value for status in _HTTPStatus}}


class _Codes:
    """``codes.ok``, ``codes.not_found``: the numbers of HTTP's statuses by name."""

    def __getattr__(self, name):
        try:
            return _codes[name]
        except KeyError:
            raise AttributeError(name) from None


codes = _Codes()


def request(method, url, **options):
    """Sends a request; the arguments are those of ``Session.request``."""
    return _session.request(method, url, **options)


def session():
    return Session()


def get(url, params=None, **options):
    return _session.get(url, params=params, **options)


def options(url, **options):
    return _session.options(url, **options)


def head(url, **options):
    return _session.head(url, **options)


def post(url, data=None, json=None, **options):
    return _session.post(url, data=data, json=json, **options)


def put(url, data=None, **options):
    return _session.put(url, data=data, **options)


def patch(url, data=None, **options):
    return _session.patch(url, data=data, **options)


def delete(url, **options):
    return _session.delete(url, **options)
