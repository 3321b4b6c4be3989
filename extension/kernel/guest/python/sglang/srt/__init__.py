"""The few helpers of SGLang's server package that programs import; the server itself is not here."""

import importlib.abc
import sys


class _Explained(importlib.abc.MetaPathFinder):
    """Asked last: for what is not here."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("sglang.srt."):
            return None
        raise ModuleNotFoundError(
            f"No module named {name!r}: sglang.srt is SGLang's server, which this kernel does not contain. Start the "
            'bundled runtime with execute_shell_command("python3 -m sglang.launch_server …") and use RuntimeEndpoint(url).',
            name=name,
        )


sys.meta_path.append(_Explained())
