"""SGLang's functions behind ``run`` and ``run_batch``, for code that calls them itself."""

from sglang.lang.function import resolve_backend
from sglang.lang.interpreter import run_body


def run_program(program, backend, func_args, func_kwargs, default_sampling_para, stream, sync=False, use_thread=True):
    """One run. ``default_sampling_para`` is an ``SglSamplingParams``."""
    sampling = default_sampling_para.wire()
    state = program.start(resolve_backend(backend), sampling, stream, use_thread, func_args, func_kwargs)
    if sync and not stream:
        state.sync()
    return state


def run_program_batch(
    program, backend, batch_arguments, default_sampling_para, num_threads, progress_bar, generator_style=False
):
    """A run for each dict of arguments; the states in their order, or a generator of them."""
    options = {"num_threads": num_threads, "progress_bar": progress_bar, "generator_style": generator_style}
    batch = [dict(arguments) for arguments in batch_arguments]
    if not batch:
        return []
    return program.start_batch(resolve_backend(backend), default_sampling_para.wire(), batch, options)


def run_internal(state, program, func_args, func_kwargs, sync):
    """Runs the body of a program on a state."""
    run_body(program, state, func_args, func_kwargs)
    if sync:
        state.sync()


def cache_program(program, backend):
    """Has the server compute the part of the prompt that no argument changes."""
    program.cache(backend)
