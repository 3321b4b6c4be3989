"""What Engine and Runtime ask a server without a program."""

import json

from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint
from sglang.lang.stream_executor import StreamExecutor

_LOGPROB_OPTIONS = ("return_logprob", "logprob_start_len", "top_logprobs_num")


def answer_of(response):
    """The server's JSON; ValueError with its reason when it refused."""
    if response.status_code == 404:
        raise ValueError("The engine refused the request: embeddings need an SGLang server with an embedding model.")
    if response.status_code != 200:
        raise ValueError(f"The engine refused the request: {_message(response)}")
    return response.json()


def _message(response):
    try:
        return response.json()["error"]["message"]
    except Exception:
        return json.dumps(getattr(response, "text", None) or str(response))


class Streams:
    """Growing answers of a server, each as ``{"text": …, "meta_info": …}``; the kernel reads them."""

    def __init__(self, url):
        self._url = url
        # Without a template: prompts are completed as they are.
        self._endpoint = None

    def events(self, body):
        request, reader = self._open(body), _Reader()
        while not reader.done:
            yield reader.take(request.call("next", **reader.position))

    async def events_async(self, body):
        request, reader = self._open(body), _Reader()
        while not reader.done:
            yield reader.take(await request.call_async("next", **reader.position))

    def _open(self, body):
        """A state that generates once."""
        if not isinstance(body.get("text"), str):
            raise ValueError("generate(stream=True) takes one prompt, as a string.")
        if self._endpoint is None:
            self._endpoint = RuntimeEndpoint(self._url, chat_template_name="default")
        executor = StreamExecutor.view(self._endpoint, stream=True)
        sampling = dict(body.get("sampling_params") or {})
        sampling.update((name, body[name]) for name in _LOGPROB_OPTIONS if name in body)
        executor.new("Engine", {})
        gen = {"t": "gen", "name": "text", "sampling": sampling, "at": None}
        executor.post("submit", exprs=[{"t": "text", "v": body["text"]}, gen])
        executor.post("end", error=None)
        return executor


class _Reader:
    def __init__(self):
        self.done = False
        # The kernel's own count, which is not Python's length of the text.
        self.position = {"name": "text", "whole": False, "position": 0}
        self._text = ""

    def take(self, answer):
        if answer["error"] is not None:
            raise ValueError(f"The engine refused the request: {answer['error']['message']}")
        self._text += answer["piece"]
        self.position["position"] = answer["position"]
        self.done = answer["done"]
        return {"text": self._text, "meta_info": answer["meta"] or {}}
