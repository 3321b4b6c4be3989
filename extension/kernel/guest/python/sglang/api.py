"""SGLang's public functions."""

from typing import List, Optional, Union

from sglang.global_config import global_config
from sglang.lang.choices import ChoicesSamplingMethod, token_length_normalized
from sglang.lang.function import function, known_backend
from sglang.lang.ir import (
    REASONING_MODELS,
    SglExpr,
    SglExprList,
    SglGen,
    SglImage,
    SglRoleBegin,
    SglRoleEnd,
    SglSelect,
    SglSeparateReasoning,
    SglVideo,
    check_regex,
    with_reasoning,
)


def set_default_backend(backend):
    """The backend of programs that are run without one."""
    global_config.default_backend = backend


def flush_cache(backend=None, empty_cache=True):
    """Empties the server's prefix cache; False when there is no backend.

    ``empty_cache`` is what newer SGLang servers do with their device's memory; it changes nothing here.
    """
    backend = known_backend(backend)
    return False if backend is None else backend.flush_cache()


def get_server_info(backend=None):
    """What the server tells about itself; None when there is no backend."""
    backend = known_backend(backend)
    return None if backend is None else backend.get_server_info()


def Runtime(*args, **kwargs):
    """As ``sglang.Runtime``."""
    from sglang.lang.backend.runtime import Runtime

    return Runtime(*args, **kwargs)


def Engine(*args, **kwargs):
    """As ``sglang.Engine``."""
    from sglang.lang.backend.engine import Engine

    return Engine(*args, **kwargs)


def gen(
    name: Optional[str] = None,
    max_tokens: Optional[int] = None,
    min_tokens: Optional[int] = None,
    stop: Optional[Union[str, List[str]]] = None,
    stop_token_ids: Optional[List[int]] = None,
    temperature: Optional[float] = None,
    top_p: Optional[float] = None,
    top_k: Optional[int] = None,
    min_p: Optional[float] = None,
    frequency_penalty: Optional[float] = None,
    presence_penalty: Optional[float] = None,
    ignore_eos: Optional[bool] = None,
    return_logprob: Optional[bool] = None,
    logprob_start_len: Optional[int] = None,
    top_logprobs_num: Optional[int] = None,
    return_text_in_logprobs: Optional[bool] = None,
    dtype: Optional[Union[type, str]] = None,
    choices: Optional[List[str]] = None,
    choices_method: Optional[ChoicesSamplingMethod] = None,
    regex: Optional[str] = None,
    json_schema: Optional[str] = None,
    *,
    n: Optional[int] = None,
    stop_regex: Optional[Union[str, List[str]]] = None,
    ebnf: Optional[str] = None,
    repetition_penalty: Optional[float] = None,
    seed: Optional[int] = None,
    tools: Optional[List[dict]] = None,
    tool_choice: Optional[Union[str, dict]] = None,
):
    """Text that the model generates, kept in the variable ``name``.

    With ``choices`` the model only decides between them, and the other parameters do not matter.
    Positional arguments have the order of SGLang v0.4.3. The keywords after them are the server's, and
    only sent when they are given.
    ``tools``, in OpenAI's form, are for its chat API: the calls are in ``get_meta_info(name)["tool_calls"]``.
    ``n`` above 1 makes the variable a list of that many samples; the text goes on with the first.
    """
    if choices:
        return SglSelect(name, choices, temperature or 0.0, choices_method or token_length_normalized)
    check_regex(regex)
    return SglGen(
        name,
        max_tokens,
        min_tokens,
        stop,
        stop_token_ids,
        temperature,
        top_p,
        top_k,
        min_p,
        frequency_penalty,
        presence_penalty,
        ignore_eos,
        return_logprob,
        logprob_start_len,
        top_logprobs_num,
        return_text_in_logprobs,
        dtype,
        regex,
        json_schema,
        n,
        stop_regex,
        {
            "ebnf": ebnf,
            "repetition_penalty": repetition_penalty,
            "seed": seed,
            "tools": tools,
            "tool_choice": tool_choice,
        },
    )


def _typed(name, max_tokens, dtype, sampling, keywords):
    """A gen of a type, from the positional arguments that ``gen_int`` and ``gen_string`` share."""
    return gen(name, max_tokens, dtype=dtype, **dict(zip(_TYPED_SAMPLING, sampling)), **keywords)


_TYPED_SAMPLING = (
    "stop",
    "stop_token_ids",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "ignore_eos",
    "return_logprob",
    "logprob_start_len",
    "top_logprobs_num",
    "return_text_in_logprobs",
)


def gen_int(name=None, max_tokens=None, *sampling, **keywords):
    """An integer; the variable's value is its text."""
    return _typed(name, max_tokens, int, sampling, keywords)


def gen_string(name=None, max_tokens=None, *sampling, **keywords):
    """A string in double quotes, quotes included."""
    return _typed(name, max_tokens, str, sampling, keywords)


def select(
    name: Optional[str] = None,
    choices: Optional[List[str]] = None,
    temperature: float = 0.0,
    choices_method: ChoicesSamplingMethod = token_length_normalized,
):
    """The choice that the model finds the likeliest."""
    assert choices is not None, "select needs choices"
    return SglSelect(name, choices, temperature, choices_method)


def image(expr):
    """An image: a file name, a data: or http(s): URL, bytes, or a PIL image. Files are read when the program gets there."""
    return SglImage(expr)


def video(path: str, num_frames: int):
    """``num_frames`` frames of a video file, evenly spread; needs the program ffmpeg on this machine."""
    return SglVideo(path, num_frames)


def separate_reasoning(expr: Optional[SglExpr] = None, model_type: Optional[str] = None):
    """Puts what a reasoning model thinks before its answer into ``<name>_reasoning_content``.

    The gen's own variable, and the text, hold the answer alone; while streaming too.
    """
    if model_type is None:
        raise ValueError("Model type must be specified")
    if model_type.lower() not in REASONING_MODELS:
        raise ValueError(f"Unsupported model type: {model_type}. Known: {', '.join(REASONING_MODELS)}")
    if expr is None:
        raise ValueError("separate_reasoning needs an expression, as in separate_reasoning(gen('answer'), 'qwen3')")
    marked = with_reasoning(expr, model_type)
    return SglExprList([marked, SglSeparateReasoning(model_type, marked)])


def _role(name: str, expr) -> SglExpr:
    inner = [] if expr is None else [expr]
    return SglExprList([SglRoleBegin(name), *inner, SglRoleEnd(name)])


def system(expr=None):
    """A system message."""
    return _role("system", expr)


def user(expr=None):
    """A user message."""
    return _role("user", expr)


def assistant(expr=None):
    """An assistant message."""
    return _role("assistant", expr)


def system_begin():
    return SglRoleBegin("system")


def system_end():
    return SglRoleEnd("system")


def user_begin():
    return SglRoleBegin("user")


def user_end():
    return SglRoleEnd("user")


def assistant_begin():
    return SglRoleBegin("assistant")


def assistant_end():
    return SglRoleEnd("assistant")


