"""Sending: what stays the same between requests, and one request."""

import base64
import copy
import time
import urllib.parse

from sglang import _transport

from .exceptions import ConnectionError as RequestConnectionError
from .exceptions import ReadTimeout, TooManyRedirects
from .models import Request, Response
from .structures import CaseInsensitiveDict

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 30
_UNSUPPORTED = "requests in the bundled Python does not know {}; choose a Python of your own for it."


class Session:
    """Headers, parameters, cookies and credentials for many requests. Connections are kept in any case."""

    def __init__(self):
        self.headers = CaseInsensitiveDict({"User-Agent": "python-requests", "Accept": "*/*"})
        self.params, self.cookies = {}, {}
        self.auth = None
        self.verify = True

    def request(
        self,
        method,
        url,
        params=None,
        data=None,
        headers=None,
        cookies=None,
        files=None,
        auth=None,
        timeout=None,
        allow_redirects=True,
        proxies=None,
        hooks=None,
        stream=None,
        verify=None,
        cert=None,
        json=None,
    ):
        """Sends a request and answers the Response. Raises the exceptions of ``requests.exceptions``."""
        for name, value in (("proxies", proxies), ("hooks", hooks), ("cert", cert)):
            if value:
                raise NotImplementedError(_UNSUPPORTED.format(f"the argument {name}"))
        own = Request(
            method,
            url,
            headers=_merged(self.headers, headers),
            files=files,
            data=data,
            params=params if isinstance(params, (str, bytes)) else [*_pairs(self.params), *_pairs(params)],
            auth=self.auth if auth is None else auth,
            cookies={**self.cookies, **dict(cookies or {})},
            json=json,
        )
        verify = self.verify if verify is None else verify
        if isinstance(verify, str):
            raise NotImplementedError(_UNSUPPORTED.format("certificate files"))
        return self.send(own.prepare(), stream=bool(stream), timeout=timeout, verify=verify, allow_redirects=allow_redirects)

    def send(self, request, stream=False, timeout=None, verify=True, allow_redirects=True):
        """Sends a prepared request, and those to which redirects lead."""
        history = []
        while True:
            response = _exchange(request, _seconds(timeout), verify)
            target = response.headers.get("location")
            if not allow_redirects or target is None or response.status_code not in _REDIRECTS:
                break
            if len(history) == _MOST_REDIRECTS:
                response.close()
                raise TooManyRedirects(f"Exceeded {_MOST_REDIRECTS} redirects.", request=request)
            response.content  # reads it, and frees the connection
            history.append(response)
            request = _redirected(request, response.status_code, target)
        response.history = history
        if not stream:
            response.content  # as above
        return response

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def options(self, url, **options):
        return self.request("OPTIONS", url, **options)

    def head(self, url, **options):
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def post(self, url, data=None, json=None, **options):
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url, data=None, **options):
        return self.request("PUT", url, data=data, **options)

    def patch(self, url, data=None, **options):
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url, **options):
        return self.request("DELETE", url, **options)

    def mount(self, prefix, adapter):
        raise NotImplementedError(_UNSUPPORTED.format("transport adapters"))

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _exchange(request, timeout, verify):
    begin = time.perf_counter()
    message = {
        "op": "http_open",
        "method": request.method,
        "url": request.url,
        "headers": {key: _text(value) for key, value in request.headers.items()},
        "body": None if request.body is None else base64.b64encode(request.body).decode("ascii"),
        "timeout": timeout,
        "verify": verify is not False,
    }
    try:
        return Response(request, _transport.call(message), time.perf_counter() - begin)
    except TimeoutError as error:
        raise ReadTimeout(str(error), request=request) from None
    except ConnectionError as error:
        raise RequestConnectionError(str(error), request=request) from None


def _redirected(request, status, target):
    """The request to which a redirect leads: without a body unless the status keeps it, and without
    credentials for another server."""
    following = copy.copy(request)
    following.headers = request.headers.copy()
    following.url = urllib.parse.urljoin(request.url, target)
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        following.method = "HEAD" if request.method == "HEAD" else "GET"
        following.body = None
        following.headers.pop("Content-Type", None)
    if urllib.parse.urlsplit(following.url).netloc != urllib.parse.urlsplit(request.url).netloc:
        following.headers.pop("Authorization", None)
        following.headers.pop("Cookie", None)
    return following


def _merged(own, added):
    headers = own.copy()
    headers.update(added or {})
    return headers


def _pairs(params):
    if params is None:
        return []
    return list(params.items()) if hasattr(params, "items") else list(params)


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _seconds(timeout):
    """One limit for connecting and reading: the longer of the two that requests takes."""
    if not isinstance(timeout, tuple):
        return timeout
    return None if None in timeout else max(timeout)
