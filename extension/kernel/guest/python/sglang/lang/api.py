"""The module path of newer SGLang versions."""

from sglang.api import *  # noqa: F401,F403
