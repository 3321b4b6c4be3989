"""Anthropic's models."""

from sglang.lang.backend.service import ServiceBackend, seconds, variable


class Anthropic(ServiceBackend):
    """A model of Anthropic; the key is ``api_key`` or ANTHROPIC_API_KEY.

    Gateways take a bearer token instead: ``auth_token`` or ANTHROPIC_AUTH_TOKEN.
    """

    def __init__(
        self,
        model_name,
        *,
        api_key=None,
        auth_token=None,
        base_url=None,
        timeout=0,
        max_retries=None,
        default_headers=None,
        deadline=None,
        verify=None,
        **limits,
    ):
        key = api_key or (None if auth_token else variable("ANTHROPIC_API_KEY"))
        super().__init__(
            "anthropic",
            base_url or variable("ANTHROPIC_BASE_URL") or "https://api.anthropic.com",
            model_name,
            api_key=key,
            token=auth_token or (None if key else variable("ANTHROPIC_AUTH_TOKEN")),
            default_headers=default_headers,
            timeout=seconds(timeout),
            max_retries=max_retries,
            deadline=deadline,
            verify=verify,
            **limits,
        )
