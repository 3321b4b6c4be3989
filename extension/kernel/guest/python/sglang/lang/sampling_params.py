"""Sampling parameters as an object, as SGLang's own code passes them around."""

import dataclasses
import warnings
from typing import List, Optional, Union


@dataclasses.dataclass
class SglSamplingParams:
    """Of a gen, where None means that the run decides, or of a whole run. Defaults are those of ``run``."""

    max_new_tokens: int = 128
    min_new_tokens: int = 0
    stop: Union[str, List[str]] = ()
    stop_token_ids: Optional[List[int]] = ()
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    ignore_eos: bool = False
    return_logprob: Optional[bool] = None
    logprob_start_len: Optional[int] = None
    top_logprobs_num: Optional[int] = None
    return_text_in_logprobs: Optional[bool] = None
    json_schema: Optional[str] = None
    dtype: Optional[str] = None
    regex: Optional[str] = None
    n: Optional[int] = 1
    stop_regex: Optional[Union[str, List[str]]] = ()
    # The server's further keywords: ebnf, repetition_penalty, seed, tools, tool_choice.
    extensions: Optional[dict] = None

    def clone(self):
        return dataclasses.replace(self)

    def wire(self):
        """The fields that say something, as the kernel takes them; lists of the program are copied."""
        fields = {**vars(self), **(self.extensions or {})}
        del fields["extensions"]
        return {
            name: list(value) if isinstance(value, (list, tuple)) else value
            for name, value in fields.items()
            if value is not None
        }

    def _without_regex(self, backend):
        if self.regex is not None:
            warnings.warn(f"Regular expression is not supported in the {backend} backend.", stacklevel=3)

    def to_openai_kwargs(self):
        self._without_regex("OpenAI")
        return {"max_tokens": self.max_new_tokens, "stop": self.stop or None, **self._penalties()}

    def to_litellm_kwargs(self):
        self._without_regex("LiteLLM")
        return {"max_tokens": self.max_new_tokens, "stop": self.stop or None, **self._penalties()}

    def to_vertexai_kwargs(self):
        self._without_regex("VertexAI")
        return {
            "candidate_count": 1,
            "max_output_tokens": self.max_new_tokens,
            "stop_sequences": self.stop,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k if self.top_k > 0 else None,
        }

    def to_anthropic_kwargs(self):
        self._without_regex("Anthropic")
        return {
            "max_tokens": self.max_new_tokens,
            "stop_sequences": self.stop if isinstance(self.stop, (list, tuple)) else [self.stop],
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
        }

    def to_srt_kwargs(self):
        names = (
            "max_new_tokens",
            "min_new_tokens",
            "stop",
            "stop_token_ids",
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "frequency_penalty",
            "presence_penalty",
            "ignore_eos",
            "regex",
            "json_schema",
        )
        return {name: getattr(self, name) for name in names}

    def _penalties(self):
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
        }
