"""Anthropic's models."""

from sglang.lang.backend.service import ServiceBackend, seconds, variable


class Anthropic(ServiceBackend):
    """A model of Anthropic; the key is ``api_key`` or ANTHROPIC_API_KEY."""

    def __init__(
        self, model_name, *, api_key=None, base_url=None, timeout=0, max_retries=None, deadline=None, verify=None, **limits
    ):
        super().__init__(
            "anthropic",
            base_url or variable("ANTHROPIC_BASE_URL") or "https://api.anthropic.com",
            model_name,
            api_key=api_key or variable("ANTHROPIC_API_KEY"),
            timeout=seconds(timeout),
            max_retries=max_retries,
            deadline=deadline,
            verify=verify,
            **limits,
        )
