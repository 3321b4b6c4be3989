"""Requests as they are sent, and answers as they are read."""

import base64
import codecs
import datetime
import json as _json
import urllib.parse
import uuid
from email.message import Message
from http import HTTPStatus

from sglang import _transport

from .auth import HTTPBasicAuth
from .exceptions import (
    ChunkedEncodingError,
    HTTPError,
    InvalidJSONError,
    InvalidSchema,
    JSONDecodeError,
    MissingSchema,
    ReadTimeout,
    StreamConsumedError,
)
from .structures import CaseInsensitiveDict


class Request:
    """What the caller asked for; ``prepare`` makes it what is sent."""

    def __init__(self, method, url, headers=None, files=None, data=None, params=None, auth=None, cookies=None, json=None):
        self.method, self.url, self.auth, self.cookies = method, url, auth, cookies
        self.headers, self.params = headers or {}, params or {}
        self.files, self.data, self.json = files, data, json

    def prepare(self):
        return PreparedRequest(self)


class PreparedRequest:
    """``method``, ``url``, ``headers`` and ``body`` (bytes or None) as they are sent."""

    def __init__(self, request):
        self.method = request.method.upper()
        self.url = _url(request.url, request.params)
        headers = {key: value for key, value in request.headers.items() if value is not None}
        self.headers = CaseInsensitiveDict(headers)
        self.body, content_type = _body(request)
        if content_type is not None:
            self.headers.setdefault("Content-Type", content_type)
        if request.cookies:
            pairs = [f"{name}={value}" for name, value in dict(request.cookies).items()]
            self.headers.setdefault("Cookie", "; ".join(pairs))
        auth = request.auth
        if isinstance(auth, tuple):
            auth = HTTPBasicAuth(*auth)
        if auth is not None:
            auth(self)

    def __repr__(self):
        return f"<PreparedRequest [{self.method}]>"


class Response:
    """An answer. Its body is read when it is asked for, or was read already (without ``stream``)."""

    def __init__(self, request, answer, elapsed):
        self.request = request
        self.url = request.url
        self.status_code = answer["status"]
        self.reason = answer["reason"] or _phrase(answer["status"])
        self.headers = CaseInsensitiveDict()
        for name, value in answer["headers"]:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self.elapsed = datetime.timedelta(seconds=elapsed)
        self.history = []
        self.encoding = _charset(self.headers.get("content-type"))
        self._id = answer["id"]
        self._content = None
        self._is_consumed = False

    @property
    def ok(self):
        """Whether the status is below 400."""
        return self.status_code < 400

    def __bool__(self):
        return self.ok

    def __repr__(self):
        return f"<Response [{self.status_code}]>"

    @property
    def apparent_encoding(self):
        return "utf-8"

    @property
    def content(self):
        """The body, bytes."""
        if self._content is None:
            if self._is_consumed:
                raise StreamConsumedError("The content for this response was already consumed")
            self._content = b"".join(self._pieces())
        return self._content

    @property
    def text(self):
        """The body as text, in ``encoding`` or UTF-8."""
        try:
            return self.content.decode(self.encoding or "utf-8", "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self, **options):
        """The body as JSON. Raises JSONDecodeError."""
        try:
            return _json.loads(self.content if self.encoding is None else self.text, **options)
        except _json.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos, response=self) from None
        except UnicodeDecodeError as error:
            raise JSONDecodeError(str(error), self.text, 0, response=self) from None

    def raise_for_status(self):
        """Raises HTTPError for a status from 400."""
        if self.status_code >= 400:
            side = "Client" if self.status_code < 500 else "Server"
            message = f"{self.status_code} {side} Error: {self.reason} for url: {self.url}"
            raise HTTPError(message, response=self)

    def iter_content(self, chunk_size=1, decode_unicode=False):
        """The body in pieces of ``chunk_size`` bytes; None: as they arrive."""
        pieces = self._sized(chunk_size)
        if not decode_unicode or self.encoding is None:
            return pieces
        return _decoded(pieces, self.encoding)

    def iter_lines(self, chunk_size=512, decode_unicode=False, delimiter=None):
        """The body line by line, each as soon as it is complete."""
        pending = None
        for piece in self.iter_content(None, decode_unicode):
            piece = piece if pending is None else pending + piece
            lines = piece.split(delimiter) if delimiter else piece.splitlines()
            # Without a delimiter the last line is complete only when the piece ends with its break.
            is_open = bool(lines) and bool(lines[-1]) and piece.endswith(lines[-1])
            pending = lines.pop() if is_open else None
            yield from lines
        if pending is not None:
            yield pending

    def close(self):
        """Ends the connection; the server stops generating."""
        if not self._is_consumed:
            self._is_consumed = True
            _transport.call({"op": "http_close", "id": self._id})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return self.iter_content(128)

    def _pieces(self):
        while not self._is_consumed:
            try:
                piece = _transport.call({"op": "http_read", "id": self._id})
            except TimeoutError as error:
                self._is_consumed = True
                raise ReadTimeout(str(error), request=self.request) from None
            except ConnectionError as error:
                self._is_consumed = True
                raise ChunkedEncodingError(str(error), request=self.request) from None
            if piece is None:
                self._is_consumed = True
                return
            yield base64.b64decode(piece)

    def _sized(self, size):
        if self._content is None and self._is_consumed:
            raise StreamConsumedError("The content for this response was already consumed")
        pieces = iter([self._content]) if self._content is not None else self._pieces()
        if size is None:
            yield from (piece for piece in pieces if piece)
            return
        rest = b""
        for piece in pieces:
            rest += piece
            whole = len(rest) - len(rest) % size
            for start in range(0, whole, size):
                yield rest[start : start + size]
            rest = rest[whole:]
        if rest:
            yield rest


def _decoded(pieces, encoding):
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        text = decoder.decode(piece)
        if text:
            yield text
    rest = decoder.decode(b"", True)
    if rest:
        yield rest


def _url(url, params):
    url = url.decode() if isinstance(url, bytes) else str(url).strip()
    scheme = urllib.parse.urlsplit(url).scheme
    if not scheme or "://" not in url:
        raise MissingSchema(f"Invalid URL {url!r}: No scheme supplied. Perhaps you meant https://{url}?")
    if scheme.lower() not in ("http", "https"):
        raise InvalidSchema(f"No connection adapters were found for {url!r}")
    pairs = list(params.items()) if hasattr(params, "items") else params
    if not isinstance(pairs, (str, bytes)):
        pairs = urllib.parse.urlencode([pair for pair in pairs if pair[1] is not None], doseq=True)
    query = pairs.decode() if isinstance(pairs, bytes) else pairs
    if not query:
        return url
    base, mark, fragment = url.partition("#")
    return base + ("&" if "?" in base else "?") + query + mark + fragment


def _body(request):
    """Bytes or None, and the content type that goes with them."""
    if request.files:
        return _multipart(request.data, request.files)
    if request.data:
        data = request.data
        if hasattr(data, "read"):
            data = data.read()
        if isinstance(data, (bytes, bytearray)):
            return bytes(data), None
        if isinstance(data, str):
            return data.encode("utf-8"), None
        pairs = list(data.items()) if hasattr(data, "items") else list(data)
        return urllib.parse.urlencode(pairs, doseq=True).encode("ascii"), "application/x-www-form-urlencoded"
    if request.json is not None:
        try:
            return _json.dumps(request.json, allow_nan=False).encode("utf-8"), "application/json"
        except ValueError as error:
            raise InvalidJSONError(str(error), request=request) from None
    return None, None


def _multipart(data, files):
    boundary = uuid.uuid4().hex
    out = bytearray()

    def part(name, content, filename=None, kind=None):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename else ""
        head += f"\r\nContent-Type: {kind}" if kind else ""
        content = content.read() if hasattr(content, "read") else content
        content = content.encode("utf-8") if isinstance(content, str) else bytes(content)
        out.extend(head.encode("utf-8") + b"\r\n\r\n" + content + b"\r\n")

    for name, value in (data or {}).items():
        part(name, str(value))
    for name, given in files.items() if hasattr(files, "items") else files:
        filename, content, kind = (*given, None)[:3] if isinstance(given, tuple) else (None, given, None)
        part(name, content, filename or getattr(content, "name", name), kind)
    out.extend(f"--{boundary}--\r\n".encode("ascii"))
    return bytes(out), f"multipart/form-data; boundary={boundary}"


def _charset(content_type):
    """The charset that the server names; JSON and text without one follow requests' rules."""
    if not content_type:
        return None
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset")
    if charset:
        return str(charset).strip("'\"")
    kind = message.get_content_type()
    if kind == "application/json":
        return "utf-8"
    return "ISO-8859-1" if kind.startswith("text/") and kind != "text/event-stream" else None


def _phrase(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
