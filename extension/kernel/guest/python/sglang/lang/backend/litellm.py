"""LiteLLM's proxy, which speaks OpenAI's API."""

from sglang.lang.backend.openai import OpenAI
from sglang.lang.backend.service import variable


class LiteLLM(OpenAI):
    """A model behind a LiteLLM proxy at ``base_url`` (or LITELLM_PROXY_API_BASE).

    SGLang calls the library ``litellm`` itself; here its proxy does that work: ``litellm --model …``.
    """

    def __init__(
        self,
        model_name,
        chat_template=None,
        api_key=None,
        organization=None,
        base_url=None,
        timeout=600,
        max_retries=None,
        default_headers=None,
        **limits,
    ):
        url = base_url or variable("LITELLM_PROXY_API_BASE") or "http://127.0.0.1:4000"
        key = api_key or variable("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY")
        super().__init__(
            model_name,
            True,
            chat_template,
            base_url=url,
            # "-": a proxy without keys must not be sent the key of another service.
            api_key=key or "-",
            organization=organization,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            whole_text=True,
            **limits,
        )
