"""Ways to say who asks."""

import base64


class AuthBase:
    """Changes the headers of a request before it is sent."""

    def __call__(self, request):
        raise NotImplementedError("Auth hooks must be callable.")


class HTTPBasicAuth(AuthBase):
    """User name and password."""

    def __init__(self, username, password):
        self.username = username
        self.password = password

    def __call__(self, request):
        pair = f"{self.username}:{self.password}".encode("utf-8")
        request.headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        return request
