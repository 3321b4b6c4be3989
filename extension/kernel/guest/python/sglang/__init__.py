"""SGLang programs in a notebook: the frontend language of SGLang, executed by the kernel."""

from sglang._errors import GenerationError
from sglang.api import (
    assistant,
    assistant_begin,
    assistant_end,
    flush_cache,
    function,
    gen,
    gen_int,
    gen_string,
    get_server_info,
    image,
    select,
    separate_reasoning,
    set_default_backend,
    system,
    system_begin,
    system_end,
    user,
    user_begin,
    user_end,
    video,
)
from sglang.global_config import global_config
from sglang.lang.backend.runtime_endpoint import RuntimeEndpoint
from sglang.lang.choices import (
    greedy_token_selection,
    token_length_normalized,
    unconditional_likelihood_normalized,
)
from sglang.utils import LazyImport

__version__ = "0.4.3"

# Made at first use, so that importing the package stays quick.
Runtime = LazyImport("sglang.lang.backend.runtime", "Runtime")
Engine = LazyImport("sglang.lang.backend.engine", "Engine")
ServerArgs = LazyImport("sglang.srt.server_args", "ServerArgs")
OpenAI = LazyImport("sglang.lang.backend.openai", "OpenAI")
Anthropic = LazyImport("sglang.lang.backend.anthropic", "Anthropic")
LiteLLM = LazyImport("sglang.lang.backend.litellm", "LiteLLM")
VertexAI = LazyImport("sglang.lang.backend.vertexai", "VertexAI")

__all__ = [
    "Engine",
    "Runtime",
    "assistant",
    "assistant_begin",
    "assistant_end",
    "flush_cache",
    "function",
    "gen",
    "gen_int",
    "gen_string",
    "get_server_info",
    "image",
    "select",
    "separate_reasoning",
    "set_default_backend",
    "system",
    "system_begin",
    "system_end",
    "user",
    "user_begin",
    "user_end",
    "video",
    "RuntimeEndpoint",
    "greedy_token_selection",
    "token_length_normalized",
    "unconditional_likelihood_normalized",
    "Anthropic",
    "LiteLLM",
    "OpenAI",
    "VertexAI",
    "GenerationError",
    "global_config",
    "__version__",
]
