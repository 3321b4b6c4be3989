"""What the backends of services with a key have in common."""

import os

from sglang import _transport
from sglang.lang.backend.base_backend import BaseBackend, own_matches
from sglang.lang.chat_template import ChatTemplate


_OPTIONS = (
    "api_key",
    "api_version",
    "budget",
    "deadline",
    "default_headers",
    "is_chat_model",
    "max_retries",
    "prices",
    "safety_settings",
    "timeout",
    "token",
    "token_budget",
    "verify",
    "whole_text",
)


class TokenUsage:
    """Tokens of all requests of a backend since it was made, or since ``reset()``."""

    def __init__(self, backend):
        self._backend = backend
        self._start = {"prompt_tokens": 0, "completion_tokens": 0}

    def _now(self):
        return self._backend.get_server_info()["token_usage"]

    @property
    def prompt_tokens(self):
        return self._now()["prompt_tokens"] - self._start["prompt_tokens"]

    @property
    def completion_tokens(self):
        return self._now()["completion_tokens"] - self._start["completion_tokens"]

    @property
    def cost(self):
        """Money since the backend was made, by its ``prices``; None without them."""
        return self._backend.get_server_info()["cost"]

    def reset(self):
        self._start = self._now()

    def __repr__(self):
        return f"TokenUsage(prompt_tokens={self.prompt_tokens}, completion_tokens={self.completion_tokens})"


class ServiceBackend(BaseBackend):
    """A model of a service. Nothing is sent before the first gen.

    ``timeout`` is the longest silence and ``deadline`` the longest time for a request with its retries,
    both in seconds; 0 waits for ever. ``token_budget`` is the most tokens that all requests may use, and
    ``budget`` the most money, with ``prices=(prompt, completion)`` per million tokens; a request that could
    pass them is not sent. ``default_headers`` go with every request. The key is neither kept in this object nor shown anywhere.
    """

    def __init__(self, kind, url, model_name, chat_template=None, **options):
        unknown = [name for name in options if name not in _OPTIONS]
        if unknown:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {unknown[0]!r}")
        self.model_name = model_name
        self.base_url = url
        options = {name: value for name, value in options.items() if value is not None}
        if "prices" in options:
            options["prices"] = list(options["prices"])
        if "default_headers" in options:
            options["default_headers"] = {str(name): str(value) for name, value in dict(options["default_headers"]).items()}
        if "verify" in options:
            options["verify"] = certificates(options["verify"])
        template = chat_template if isinstance(chat_template, str) else None
        options.update(model=model_name, chat_template_name=template)
        options["own_matches"] = own_matches() and chat_template is None
        answer = _transport.call({"op": "backend", "kind": kind, "url": url, "options": options})
        super().__init__(answer)
        if isinstance(chat_template, ChatTemplate):
            self.chat_template = chat_template
        self.token_usage = TokenUsage(self)

    def __repr__(self):
        return f"{type(self).__name__}({self.model_name!r})"


def certificates(verify):
    """The kernel's form of requests' ``verify``: a truth value, or the text of a PEM file."""
    if verify is None or isinstance(verify, bool):
        return verify
    with open(os.fspath(verify), encoding="utf-8") as file:
        return file.read()


def variable(*names):
    """The first of the environment variables that is set, or None."""
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def seconds(timeout):
    """A timeout that may be None, for ever."""
    return 0 if timeout is None else float(timeout)
