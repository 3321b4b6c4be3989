"""The server start of SGLang's documentation notebooks."""

from sglang.utils import launch_server_cmd as _launch


def launch_server_cmd(command, host="0.0.0.0", port=None):
    """Starts a server on a free port; returns the process and the port."""
    return _launch(command, host, port)
