"""Where older versions of SGLang keep ``get_tokenizer``."""

from sglang.srt.utils.hf_transformers_utils import get_tokenizer  # noqa: F401
