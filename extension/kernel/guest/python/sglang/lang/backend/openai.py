"""OpenAI's API: its own service, Azure's, and every server that speaks it."""

from urllib.parse import quote

from sglang.lang.backend.service import ServiceBackend, seconds, variable

_COMPLETION_MODELS = ("gpt-3.5-turbo-instruct", "babbage-002", "davinci-002")


class OpenAI(ServiceBackend):
    """A model of OpenAI or, with ``base_url``, of any compatible server.

    The key is ``api_key`` or OPENAI_API_KEY. With ``is_azure``, it is AZURE_OPENAI_API_KEY, or a token of
    Entra ID: ``azure_ad_token`` or AZURE_OPENAI_AD_TOKEN. Chat models take their roles as messages;
    ``is_chat_model=False`` sends the program's text to ``/completions``.
    """

    def __init__(
        self,
        model_name,
        is_chat_model=None,
        chat_template=None,
        is_azure=False,
        *,
        base_url=None,
        api_key=None,
        azure_endpoint=None,
        azure_deployment=None,
        azure_ad_token=None,
        api_version=None,
        organization=None,
        project=None,
        default_headers=None,
        timeout=0,
        max_retries=None,
        deadline=None,
        verify=None,
        **limits,
    ):
        self.is_chat_model = model_name not in _COMPLETION_MODELS if is_chat_model is None else bool(is_chat_model)
        if is_azure:
            endpoint = azure_endpoint or variable("AZURE_OPENAI_ENDPOINT")
            if not (base_url or endpoint):
                raise ValueError("Azure needs azure_endpoint=… or the environment variable AZURE_OPENAI_ENDPOINT.")
            url = base_url or f"{endpoint.rstrip('/')}/openai/deployments/{quote(azure_deployment or model_name)}"
            token = azure_ad_token or (None if api_key else variable("AZURE_OPENAI_AD_TOKEN"))
            key = api_key or variable("AZURE_OPENAI_API_KEY")
            api_version = api_version or variable("OPENAI_API_VERSION") or "2024-10-21"
        else:
            url = base_url or variable("OPENAI_BASE_URL") or "https://api.openai.com/v1"
            token, key = None, api_key or variable("OPENAI_API_KEY")
            organization = organization or variable("OPENAI_ORG_ID")
            project = project or variable("OPENAI_PROJECT_ID")
        accounts = {"OpenAI-Organization": organization, "OpenAI-Project": project}
        headers = {name: value for name, value in accounts.items() if value}
        super().__init__(
            "azure" if is_azure else "openai",
            url,
            model_name,
            chat_template,
            is_chat_model=self.is_chat_model,
            api_key=key,
            token=token,
            default_headers={**headers, **(default_headers or {})},
            api_version=api_version if is_azure else None,
            timeout=seconds(timeout),
            max_retries=max_retries,
            deadline=deadline,
            verify=verify,
            **limits,
        )
