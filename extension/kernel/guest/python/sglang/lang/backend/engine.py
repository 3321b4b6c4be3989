"""An engine that belongs to the program: SGLang's offline API over a private server."""

import asyncio
import json

from sglang import utils
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
        stream=False,
    ):
        """A dict with ``text`` and ``meta_info``; a list of them for a list of prompts."""
        if stream:
            raise NotImplementedError("Engine.generate(stream=True) is not available: stream a program instead.")
        fields = {
            "text": prompt,
            "input_ids": input_ids,
            "sampling_params": sampling_params,
            "return_logprob": return_logprob,
            "logprob_start_len": logprob_start_len,
            "top_logprobs_num": top_logprobs_num,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        response = utils.http_request(self.url + "/generate", json=body)
        if response.status_code != 200:
            raise ValueError(f"The engine refused the request: {_message(response)}")
        return response.json()

    async def async_generate(self, *args, **kwargs):
        await asyncio.sleep(0)
        return self.generate(*args, **kwargs)

    def get_server_info(self):
        return self._runtime.endpoint.get_server_info()

    def shutdown(self):
        self._runtime.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()


def _message(response):
    try:
        return response.json()["error"]["message"]
    except Exception:
        return json.dumps(getattr(response, "text", None) or str(response))
