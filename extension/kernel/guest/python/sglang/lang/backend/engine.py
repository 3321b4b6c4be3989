"""An engine that belongs to the program: SGLang's offline API over a private server."""

from sglang import utils
from sglang.lang.backend.direct import answer_of
from sglang.lang.backend.runtime import Runtime


class Engine:
    """Starts the runtime with the options of ``sglang.launch_server``; ``shutdown()`` stops it."""

    def __init__(self, log_level="error", **kwargs):
        self._runtime = Runtime(log_level=log_level, **kwargs)
        self.url = self._runtime.url

    def generate(
        self,
        prompt=None,
        sampling_params=None,
        input_ids=None,
        return_logprob=None,
        logprob_start_len=None,
        top_logprobs_num=None,
        lora_path=None,
        custom_logit_processor=None,
        stream=False,
        image_data=None,
    ):
        """A dict with ``text`` and ``meta_info``; a list of them for a list of prompts.

        With ``stream`` an iterator over the growing answer to one prompt.
        """
        body = self._body(locals())
        if stream:
            return self._runtime.streams.events(body)
        return answer_of(utils.http_request(self.url + "/generate", json=body))

    async def async_generate(self, *args, stream=False, **kwargs):
        """As ``generate``, for ``await``; with ``stream`` an asynchronous iterator."""
        names = ("prompt", "sampling_params", "input_ids", "return_logprob", "logprob_start_len", "top_logprobs_num")
        body = self._body({**dict(zip(names, args)), **kwargs})
        if stream:
            return self._runtime.streams.events_async(body)
        return answer_of(await utils.http_request_async(self.url + "/generate", json=body))

    def encode(self, prompt):
        """The embedding of a text, or a list of them, where the model is an embedding model."""
        return answer_of(utils.http_request(self.url + "/encode", json={"text": prompt}))

    async def async_encode(self, prompt):
        return answer_of(await utils.http_request_async(self.url + "/encode", json={"text": prompt}))

    def get_server_info(self):
        return self._runtime.endpoint.get_server_info()

    def flush_cache(self):
        self._runtime.endpoint.flush_cache()

    def start_profile(self):
        self._runtime.endpoint.start_profile()

    def stop_profile(self):
        self._runtime.endpoint.stop_profile()

    def shutdown(self):
        self._runtime.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    def _body(self, fields):
        body = {("text" if name == "prompt" else name): fields.get(name) for name in _FIELDS}
        return {name: value for name, value in body.items() if value is not None}


_FIELDS = (
    "prompt",
    "input_ids",
    "sampling_params",
    "return_logprob",
    "logprob_start_len",
    "top_logprobs_num",
    "lora_path",
    "custom_logit_processor",
    "image_data",
)
