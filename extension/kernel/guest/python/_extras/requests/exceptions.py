"""What can go wrong with a request; the classes and their order of inheritance are those of requests."""

import json as _json


class RequestException(IOError):
    """Any failure of a request. ``request`` and ``response`` are those it is about, if known."""

    def __init__(self, *args, request=None, response=None):
        super().__init__(*args)
        self.response = response
        self.request = request if request is not None else getattr(response, "request", None)


class InvalidJSONError(RequestException):
    """The body is not JSON."""


class JSONDecodeError(InvalidJSONError, _json.JSONDecodeError):
    """The answer is not JSON."""

    def __init__(self, *args, **fields):
        _json.JSONDecodeError.__init__(self, *args)
        InvalidJSONError.__init__(self, *self.args, **fields)


class HTTPError(RequestException):
    """The server answered with an error status."""


class ConnectionError(RequestException):
    """No connection, or it was lost."""


class Timeout(RequestException):
    """No answer in time."""


class ConnectTimeout(ConnectionError, Timeout):
    """No connection in time."""


class ReadTimeout(Timeout):
    """The server sent nothing for too long."""


class URLRequired(RequestException):
    """A request without a URL."""


class TooManyRedirects(RequestException):
    """The server sends in circles."""


class MissingSchema(RequestException, ValueError):
    """A URL without http:// or https://."""


class InvalidSchema(RequestException, ValueError):
    """A URL that is neither http:// nor https://."""


class InvalidURL(RequestException, ValueError):
    """Not a URL."""


class ChunkedEncodingError(RequestException):
    """The body ended too early."""


class StreamConsumedError(RequestException, TypeError):
    """The body was read already."""
