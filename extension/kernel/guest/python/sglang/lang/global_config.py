"""Where newer versions of SGLang keep ``global_config``."""

from sglang.global_config import GlobalConfig, global_config  # noqa: F401
