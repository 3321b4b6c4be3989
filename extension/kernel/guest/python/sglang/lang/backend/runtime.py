"""A server that belongs to the program."""

import json
import shlex

from sglang import utils
from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint


class Runtime:
    """Starts a server with the options of ``sglang.launch_server`` and connects to it."""

    def __init__(self, log_level="error", *, launch_timeout=300.0, port=None, **kwargs):
        options = {"log_level": log_level, **kwargs}
        flags = " ".join(_flag(name, value) for name, value in options.items() if value is not None)
        command = f"python3 -m sglang.launch_server {flags}"
        self._process, self.port = utils.launch_server_cmd(command, host="127.0.0.1", port=port)
        self.url = f"http://127.0.0.1:{self.port}"
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

    def generate(self, prompt, sampling_params=None, **fields):
        """Answers the server's JSON as text, as SGLang's Runtime does."""
        body = {"text": prompt, "sampling_params": sampling_params or {}, **fields}
        return json.dumps(utils.http_request(self.url + "/generate", json=body).json())


def _flag(name, value):
    flag = "--" + name.replace("_", "-")
    return flag if value is True else f"{flag} {shlex.quote(str(value))}"
