"""An engine that belongs to the program: SGLang's offline API over a private server."""

import json

from sglang import _transport, utils
from sglang.lang.backend.runtime import Runtime
from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint
from sglang.lang.stream_executor import StreamExecutor


class Engine:
    """Starts the runtime with the options of ``sglang.launch_server``; ``shutdown()`` stops it."""

    def __init__(self, log_level="error", **kwargs):
        self._runtime = Runtime(log_level=log_level, **kwargs)
        self.url = self._runtime.url
        # Without a template: the engine completes prompts as they are.
        self._plain = None

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
            return self._streamed(body)
        return _answer(utils.http_request(self.url + "/generate", json=body))

    async def async_generate(self, *args, stream=False, **kwargs):
        """As ``generate``, for ``await``; with ``stream`` an asynchronous iterator."""
        names = ("prompt", "sampling_params", "input_ids", "return_logprob", "logprob_start_len", "top_logprobs_num")
        body = self._body({**dict(zip(names, args)), **kwargs})
        if stream:
            return self._streamed_async(body)
        return _answer(await utils.http_request_async(self.url + "/generate", json=body))

    def encode(self, prompt):
        """The embedding of a text, or a list of them, where the model is an embedding model."""
        return _answer(utils.http_request(self.url + "/encode", json={"text": prompt}))

    async def async_encode(self, prompt):
        return _answer(await utils.http_request_async(self.url + "/encode", json={"text": prompt}))

    def get_server_info(self):
        return self._runtime.endpoint.get_server_info()

    def flush_cache(self):
        self._runtime.endpoint.flush_cache()

    def shutdown(self):
        self._runtime.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    def _body(self, fields):
        body = {("text" if name == "prompt" else name): fields.get(name) for name in _FIELDS}
        return {name: value for name, value in body.items() if value is not None}

    def _streamed(self, body):
        request = self._open(body)
        text, done = "", False
        while not done:
            answer = request.call("next", name="text", whole=False, position=len(text))
            text, done = text + answer["piece"], answer["done"]
            yield self._event(answer, text)

    async def _streamed_async(self, body):
        request = self._open(body)
        text, done = "", False
        while not done:
            answer = await request.call_async("next", name="text", whole=False, position=len(text))
            text, done = text + answer["piece"], answer["done"]
            yield self._event(answer, text)

    def _event(self, answer, text):
        if answer["error"] is not None:
            raise ValueError(f"The engine refused the request: {answer['error']['message']}")
        return {"text": text, "meta_info": answer["meta"] or {}}

    def _open(self, body):
        """A state that generates once; the kernel reads its stream."""
        if not isinstance(body.get("text"), str):
            raise ValueError("generate(stream=True) takes one prompt, as a string.")
        if self._plain is None:
            self._plain = RuntimeEndpoint(self.url, chat_template_name="default")
        executor = StreamExecutor(self._plain, stream=True)
        sampling = dict(body.get("sampling_params") or {})
        for name in ("return_logprob", "logprob_start_len", "top_logprobs_num"):
            if name in body:
                sampling[name] = body[name]
        _transport.flush_dropped()
        executor.post("new", backend=self._plain.id, program="Engine", stream=True, sampling={})
        gen = {"t": "gen", "name": "text", "sampling": sampling, "at": None}
        executor.post("submit", exprs=[{"t": "text", "v": body["text"]}, gen])
        executor.post("end", error=None)
        return executor


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


def _answer(response):
    if response.status_code != 200:
        raise ValueError(f"The engine refused the request: {_message(response)}")
    return response.json()


def _message(response):
    try:
        return response.json()["error"]["message"]
    except Exception:
        return json.dumps(getattr(response, "text", None) or str(response))
