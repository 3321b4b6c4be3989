"""A running SGLang server."""

from typing import Optional, Union

from sglang import _transport, utils
from sglang.lang.backend.base_backend import BaseBackend, own_matches
from sglang.lang.backend.service import certificates


class RuntimeEndpoint(BaseBackend):
    """The SGLang server at ``base_url``; ConnectionError when none answers there.

    ``chat_template_name`` overrides the template that SGLang chooses by the model's path.
    ``verify`` is False to accept any certificate, or the file of the authorities to trust.
    ``timeout`` is the longest silence of the server in seconds; None waits for ever.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Optional[str] = None,
        verify: Optional[Union[str, bool]] = None,
        chat_template_name: Optional[str] = None,
        timeout: Optional[float] = None,
    ):
        self.base_url = base_url
        self.api_key = api_key
        self.verify = verify
        options = {
            "api_key": api_key,
            "verify": certificates(verify),
            "chat_template_name": chat_template_name,
            "timeout": timeout,
            "own_matches": own_matches(),
        }
        answer = _transport.call({"op": "backend", "kind": "sglang", "url": base_url, "options": options})
        super().__init__(answer)

    def start_profile(self):
        """Has the server record what it does, where it can."""
        self._get("/start_profile")

    def stop_profile(self):
        self._get("/stop_profile")

    def _get(self, path):
        response = utils.http_request(self.base_url.rstrip("/") + path, api_key=self.api_key)
        if response.status_code != 200:
            raise RuntimeError(f"The server at {self.base_url} answered {response.status_code} to {path}.")

    def __repr__(self):
        return f"RuntimeEndpoint({self.base_url!r})"
