"""Helpers that SGLang notebooks use: servers, output, files."""

import base64
import importlib
import json as _json
import os
import re
import sys
import tempfile

from sglang import _transport
from sglang._display import HIGHLIGHT_MIME, display


class LazyImport:
    """An attribute of a module that is imported when it is first used or called."""

    def __init__(self, module_name, class_name):
        self.module_name = module_name
        self.class_name = class_name
        self._module = None

    def _load(self):
        if self._module is None:
            self._module = getattr(importlib.import_module(self.module_name), self.class_name)
        return self._module

    def __getattr__(self, name):
        return getattr(self._load(), name)

    def __call__(self, *args, **kwargs):
        return self._load()(*args, **kwargs)


# ------------------------------------------------------------------ processes


class Process:
    """A process that the kernel started in the background; the useful part of ``Popen``."""

    def __init__(self, pid, command):
        self.pid = pid
        self.args = command
        self.returncode = None

    def poll(self):
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = _transport.call({"op": "poll_process", "pid": self.pid})
        return self.returncode

    def wait(self, timeout=None):
        """Waits for the end; TimeoutError after ``timeout`` seconds."""
        self.returncode = _transport.call({"op": "wait_process", "pid": self.pid, "timeout": timeout})
        return self.returncode

    def kill(self):
        """Ends the process and everything it started."""
        _transport.call({"op": "kill_process", "pid": self.pid})

    terminate = kill

    def __repr__(self):
        return f"<Process {self.pid}: {self.args}>"


def execute_shell_command(command):
    """Starts a command in the background; its output appears below the cell.

    ``python3 -m sglang.launch_server …`` starts the bundled runtime.
    """
    # A backslash that continues a line; those of Windows paths stay.
    command = re.sub(r"\\(?=\s|$)", " ", command)
    pid = _transport.call({"op": "spawn_process", "command": command})["pid"]
    return Process(pid, command)


def launch_server_cmd(command, host="0.0.0.0", port=None):
    """Starts a server on a free port; returns the process and the port."""
    if port is None:
        port = _transport.call({"op": "free_port"})
    return execute_shell_command(f"{command} --port {port}"), port


def wait_for_server(base_url, timeout=None):
    """Waits until the server at ``base_url`` answers; TimeoutError after ``timeout`` seconds."""
    _transport.call({"op": "wait_for_server", "url": base_url, "timeout": timeout})


def terminate_process(process):
    """Ends a process and everything it started, and waits until they are gone."""
    process.kill()
    if process.poll() is None:
        process.wait()


# ------------------------------------------------------------------ output


def print_highlight(html_content):
    """Shows text emphasised. It is shown as it is, never as HTML."""
    text = str(html_content)
    display({HIGHLIGHT_MIME: {"text": text}, "text/plain": text})


# ------------------------------------------------------------------ files and requests


def read_jsonl(filename):
    """Yields the objects of a JSON-lines file; lines that start with ``#`` are skipped."""
    with open(filename, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                yield _json.loads(line)


def dump_state_text(filename, states, mode="w"):
    """Writes the texts of states to a file, each under a numbered line."""
    from sglang.lang.interpreter import ProgramState

    with open(filename, mode, encoding="utf-8") as out:
        for i, state in enumerate(states):
            text = state.text() if isinstance(state, ProgramState) else str(state)
            out.write("=" * 40 + f" {i} " + "=" * 40 + f"\n{text}\n" + "=" * 80 + "\n\n")


class HttpResponse:
    """An answer of ``http_request``."""

    def __init__(self, status_code, text):
        self.status_code = status_code
        self.text = text

    def json(self):
        return _json.loads(self.text)


def http_request(url, json=None, stream=False, api_key=None, verify=None, method=None, timeout=None):
    """A GET, or a POST when there is a JSON body, through the kernel.

    With ``stream`` or ``verify`` it is a request of the package ``requests``, and so is the answer.
    """
    if stream or verify is not None:
        import requests

        message = _http(url, json, api_key, method, timeout)
        options = {"stream": stream, "timeout": timeout, "verify": True if verify is None else verify}
        return requests.request(message["method"], url, json=json, headers=message["headers"], **options)
    return _response(_transport.call(_http(url, json, api_key, method, timeout)))


async def http_request_async(url, json=None, api_key=None, method=None, timeout=None):
    """As ``http_request``, for ``await``."""
    return _response(await _transport.call_async(_http(url, json, api_key, method, timeout)))


def _http(url, json, api_key, method, timeout):
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    if json is not None:
        headers["content-type"] = "application/json"
    return {
        "op": "http",
        "method": method or ("GET" if json is None else "POST"),
        "url": url,
        "headers": headers,
        "body": None if json is None else _json.dumps(json),
        "timeout": timeout,
    }


def _response(answer):
    return HttpResponse(answer["status"], answer["body"])


def download_and_cache_file(url, filename=None):
    """Downloads a file once; returns where it lies."""
    if filename is None:
        filename = os.path.join(tempfile.gettempdir(), url.split("/")[-1])
    if not os.path.exists(filename):
        _download(url, filename)
    return filename


def _download(url, filename):
    """Under another name until it is whole, so that half a file never counts as the file."""
    part = f"{filename}.part"
    with open(part, "wb") as out:
        out.write(download(url))
    os.replace(part, filename)


def download(url):
    """The bytes at a URL."""
    if sys.platform == "emscripten":  # urllib has no sockets there
        import requests

        response = requests.get(url)
        response.raise_for_status()
        return response.content
    import urllib.request

    with urllib.request.urlopen(url) as response:
        return response.read()




def encode_image_base64(image_path):
    """Base64 of an image: a file name, bytes, or a PIL image."""
    from sglang.lang.ir import SglImage

    wire = SglImage(image_path).wire()
    if wire["base64"] is not None:
        return wire["base64"]
    with open(image_path, "rb") as data:
        return base64.b64encode(data.read()).decode("ascii")


def convert_json_schema_to_str(json_schema):
    """A JSON schema as text: from text, a dict, or a pydantic model class."""
    if isinstance(json_schema, str):
        return json_schema
    if isinstance(json_schema, dict):
        return _json.dumps(json_schema)
    if hasattr(json_schema, "model_json_schema"):
        return _json.dumps(json_schema.model_json_schema())
    raise ValueError(f"Cannot parse schema {json_schema}. The schema must be a dict, text or a pydantic model.")


def trim_overlap(existing_text, new_chunk):
    """``new_chunk`` without the beginning that ``existing_text`` already ends with."""
    for length in range(min(len(existing_text), len(new_chunk)), 0, -1):
        if existing_text.endswith(new_chunk[:length]):
            return new_chunk[length:]
    return new_chunk


def get_exception_traceback():
    import traceback

    return traceback.format_exc()


def find_printable_text(text):
    """What of ``text`` can be shown without changing later: up to the last blank or line."""
    if text.endswith("\n") or _is_chinese(text[-1:]):
        return text
    if _is_chinese(text[-2:-1]):
        return text[:-1]
    return text[: text.rfind(" ") + 1]


def _is_chinese(character):
    """Characters of writings without blanks between words."""
    return bool(character) and any(first <= ord(character) <= last for first, last in _CHINESE)


# The blocks of CJK ideographs in Unicode.
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def is_same_type(values):
    """Whether all elements have the type of the first."""
    return all(isinstance(value, type(values[0])) for value in values[1:]) if values else True


def is_in_ci():
    """Whether this is SGLang's own test environment, which it never is here."""
    return False


def stream_and_merge(llm, prompt, sampling_params):
    """The whole answer of an Engine that streams."""
    text = ""
    for chunk in llm.generate(prompt, sampling_params, stream=True):
        text = chunk["text"]
    return text


async def async_stream_and_merge(llm, prompt, sampling_params):
    """Yields the answer of an Engine piece by piece."""
    text = ""
    async for chunk in await llm.async_generate(prompt, sampling_params, stream=True):
        piece = chunk["text"][len(text) :]
        text += piece
        yield piece


def reserve_port(host, start=30000, end=40000):
    """A port that is free now, and what ``release_port`` takes: None, because nothing holds it."""
    return _transport.call({"op": "free_port"}), None


def release_port(lock_socket):
    """Nothing to do: ports are not held here."""


def encode_video_base64(video_path, num_frames=16):
    """``video:`` and frames of a video, evenly spread, as PNG images in base64: what servers take."""
    path = _transport.real_path(os.fspath(video_path))
    return _transport.call({"op": "video", "path": path, "frames": num_frames})


def resolve_obj_by_qualname(qualname):
    """The object that ``package.module.name`` names."""
    module_name, name = qualname.rsplit(".", 1)
    return getattr(importlib.import_module(module_name), name)
