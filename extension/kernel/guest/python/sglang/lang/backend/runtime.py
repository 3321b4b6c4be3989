"""A server that belongs to the program."""

import json
import shlex

from sglang import utils
from sglang.lang.backend.direct import Streams, answer_of
from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint


class Runtime:
    """Starts a server with the options of ``sglang.launch_server`` and connects to it."""

    def __init__(self, log_level="error", *, launch_timeout=300.0, port=None, **kwargs):
        options = {"log_level": log_level, **kwargs}
        flags = " ".join(_flag(name, value) for name, value in options.items() if value is not None)
        command = f"python3 -m sglang.launch_server {flags}"
        self._process, self.port = utils.launch_server_cmd(command, host="127.0.0.1", port=port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.streams = Streams(self.url)
        try:
            utils.wait_for_server(self.url, timeout=launch_timeout)
            self.endpoint = RuntimeEndpoint(self.url)
        except BaseException:
            self.shutdown()
            raise

    def shutdown(self):
        utils.terminate_process(self._process)

    def cache_prefix(self, prefix):
        self.endpoint.cache_prefix(prefix)

    def get_tokenizer(self):
        """The model's tokenizer, by the library transformers."""
        from sglang.srt.utils.hf_transformers_utils import get_tokenizer

        return get_tokenizer(self.endpoint.model_info.get("tokenizer_path") or self.endpoint.get_model_name())

    async def get_server_info(self):
        return self.endpoint.get_server_info()

    def generate(
        self,
        prompt,
        sampling_params=None,
        return_logprob=None,
        logprob_start_len=None,
        top_logprobs_num=None,
        lora_path=None,
        **fields,
    ):
        """Answers the server's JSON as text, as SGLang's Runtime does."""
        options = {
            "return_logprob": return_logprob,
            "logprob_start_len": logprob_start_len,
            "top_logprobs_num": top_logprobs_num,
            "lora_path": lora_path,
            **fields,
        }
        body = {"text": prompt, "sampling_params": sampling_params or {}}
        body.update((name, value) for name, value in options.items() if value is not None)
        return json.dumps(answer_of(utils.http_request(self.url + "/generate", json=body)))

    def encode(self, prompt):
        """The embedding as the server's JSON text, where the model is an embedding model."""
        return json.dumps(answer_of(utils.http_request(self.url + "/encode", json={"text": prompt})))

    async def async_generate(self, prompt, sampling_params=None):
        """Yields the answer piece by piece."""
        text = ""
        async for event in self.streams.events_async({"text": prompt, "sampling_params": sampling_params}):
            piece, text = event["text"][len(text) :], event["text"]
            if piece:
                yield piece

    add_request = async_generate


def _flag(name, value):
    flag = "--" + name.replace("_", "-")
    return flag if value is True else f"{flag} {shlex.quote(str(value))}"
