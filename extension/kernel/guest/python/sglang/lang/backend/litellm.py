"""LiteLLM's proxy, which speaks OpenAI's API."""

from sglang.lang.backend.openai import OpenAI
from sglang.lang.backend.service import variable


class LiteLLM(OpenAI):
    """A model behind a LiteLLM proxy at ``base_url`` (or LITELLM_PROXY_API_BASE).

    SGLang calls the library ``litellm`` itself; here its proxy does that work: ``litellm --model …``.
    """

    def __init__(self, model_name, chat_template=None, api_key=None, base_url=None, timeout=600, max_retries=None, **limits):
        url = base_url or variable("LITELLM_PROXY_API_BASE") or "http://127.0.0.1:4000"
        key = api_key or variable("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY")
        # "-": a proxy without keys must not be sent the key of another service.
        super().__init__(
            model_name, True, chat_template, base_url=url, api_key=key or "-", timeout=timeout, max_retries=max_retries, **limits
        )
