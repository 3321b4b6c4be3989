"""``@function``: a Python function as an SGLang program."""

import contextvars
import difflib
import inspect
import os
import time
import warnings

from sglang import _transport
from sglang._display import BatchProgress
from sglang._errors import add_note
from sglang.global_config import global_config
from sglang.lang.in_order import in_order
from sglang.lang.interpreter import new_state, run_body
from sglang.lang.parameters import parameters_of
from sglang.lang.prefix import constant_prefix
from sglang.lang.preview import refuse_in_preview

_SAMPLING = {
    "max_new_tokens": 128,
    "n": 1,
    "stop": None,
    "stop_token_ids": None,
    "stop_regex": None,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": -1,
    "min_p": 0.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "ignore_eos": False,
    "return_logprob": None,
    "logprob_start_len": None,
    "top_logprobs_num": None,
    "return_text_in_logprobs": None,
}
_RUN = {**_SAMPLING, "stream": False, "backend": None, "use_thread": True}
# What gen calls otherwise than run does.
_GEN_NAMES = {"max_tokens": "max_new_tokens"}
_BATCH = {
    **_SAMPLING,
    "backend": None,
    "num_threads": "auto",
    "progress_bar": False,
    "generator_style": False,
}
# What is being traced, where a program is called within another one's trace.
tracing = contextvars.ContextVar("sglang_tracing", default=None)


def _signature(first, options, rest):
    """What editors and ``inspect.signature`` show for ``run`` and ``run_batch``."""
    kinds = inspect.Parameter
    parameters = [kinds("self", kinds.POSITIONAL_OR_KEYWORD), *first]
    parameters += [kinds(name, kinds.KEYWORD_ONLY, default=value) for name, value in options.items()]
    return inspect.Signature(parameters + rest)


class SglFunction:
    """A program: call it, ``run`` it, or ``run_batch`` it over many arguments.

    The program's own parameters win over options of ``run`` with the same name, so a program with a
    parameter ``n`` gets the ``n`` that its caller gives.
    """

    def __init__(self, func, num_api_spec_tokens=None, bind_arguments=None):
        self.func = func
        self.is_async = inspect.iscoroutinefunction(func)
        self.num_api_spec_tokens = num_api_spec_tokens
        self.bind_arguments = bind_arguments or {}
        self.pin_prefix_rid = None
        parameters = parameters_of(func)
        positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
        assert positional and positional[0].name == "s", 'The first argument must be "s"'
        self.arg_names = [each.name for each in positional[1:]]
        self.arg_defaults = [each.default for each in positional if each.default is not each.empty]
        self._own = {*self.arg_names, *(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)}
        self.__name__ = getattr(func, "__name__", "program")
        self.__doc__ = func.__doc__
        self.__wrapped__ = func

    def __repr__(self):
        return f"SglFunction({self.__name__})"

    # -------------------------------------------------------------- one run

    def run(self, *args, **kwargs):
        """Runs the program and returns its state.

        Values are generated in the background: reading one waits for it. With ``stream=True`` the
        body runs in the background too, and values grow while they are generated.
        """
        if self.is_async:
            return _transport.run_coro(self.run_async(*args, **kwargs))
        options, kwargs = self._split(_RUN, kwargs)
        backend = resolve_backend(options["backend"])
        stream = bool(options["stream"])
        use_thread = bool(options["use_thread"])
        self._warn_about_speculation(backend)
        return self.start(backend, _sampling(options), stream, use_thread, args, kwargs)

    def start(self, backend, sampling, stream, use_thread, args, kwargs):
        """The state of a run with the kernel's form of the sampling parameters."""
        arguments = {**kwargs, **self.bind_arguments}
        state = new_state(self.__name__, backend, sampling, stream, use_thread, self.num_api_spec_tokens)
        if stream:
            body = lambda: run_body(self, state, args, arguments)  # noqa: E731
            state.stream_executor.task = _transport.spawn(body)
            return state
        run_body(self, state, args, arguments)
        if global_config.verbosity >= 2:
            print(state.text())
        return state

    run.__signature__ = _signature(
        [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)],
        _RUN,
        [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)],
    )

    async def run_async(self, *args, **kwargs):
        """As ``run``, for ``await``: the state of the program when all of it is done."""
        from sglang.lang.async_state import run_async

        options, kwargs = self._split(_RUN, kwargs)
        if options["stream"]:
            raise ValueError("run_async waits for the program's end: use run(stream=True) and text_async_iter().")
        backend = resolve_backend(options["backend"])
        return await run_async(self, backend, _sampling(options), args, {**kwargs, **self.bind_arguments})

    async def run_batch_async(self, batch_kwargs, **options):
        """As ``run_batch``, for ``await``."""
        from sglang.lang.async_state import run_async, run_batch_async

        options, batch, backend = self._prepare_batch(batch_kwargs, options)
        sampling = _sampling(options)

        def run_one(arguments):
            return run_async(self, backend, sampling, (), {**arguments, **self.bind_arguments})

        return await run_batch_async(run_one, batch, options["num_threads"], self._progress(options, len(batch)))

    def __call__(self, *args, **kwargs):
        """``run``; within a trace, the program is traced, too."""
        if tracing.get() is not None:
            return self._trace_within(args, kwargs)
        return self.run(*args, **kwargs)

    # -------------------------------------------------------------- many runs

    def run_batch(self, batch_kwargs, **options):
        """Runs the program once per item, many at a time; the states come in the order of the items.

        Items are dicts of arguments, or tuples of positional ones. A program whose generation fails
        keeps its error for itself; one whose own code raises ends the batch with that exception.
        """
        options, batch, backend = self._prepare_batch(batch_kwargs, options)
        if not batch:
            return []
        if self.is_async:
            return _transport.run_coro(self.run_batch_async(batch, **options))
        self._warn_about_speculation(backend)
        return self.start_batch(backend, _sampling(options), batch, options)

    def start_batch(self, backend, sampling, batch, options):
        """The states of the runs, or a generator of them; ``batch`` has a dict for each."""
        if global_config.enable_precache_with_tracing and len(batch) > 1:
            self._try_cache_prefix(backend)
        if options["generator_style"]:
            return self._batch_generator(batch, backend, sampling, options)
        return self._batch(batch, backend, sampling, options, self._progress(options, len(batch)))

    run_batch.__signature__ = _signature(
        [inspect.Parameter("batch_kwargs", inspect.Parameter.POSITIONAL_OR_KEYWORD)], _BATCH, []
    )

    def _prepare_batch(self, batch_kwargs, options):
        assert isinstance(batch_kwargs, (list, tuple)), "run_batch needs a list of arguments"
        options, unknown = self._split(_BATCH, options, own=False)
        if unknown:
            name = next(iter(unknown))
            problem = TypeError(f"run_batch() got an unexpected keyword argument {name!r}")
            add_note(problem, _meant(name, _BATCH))
            raise problem
        if not batch_kwargs:
            return options, [], None
        return options, self._batch_arguments(batch_kwargs), resolve_backend(options["backend"])

    def _batch_generator(self, batch, backend, sampling, options):
        progress = self._progress(options, len(batch))
        run_one = self._run_one(batch, backend, sampling, progress)
        return in_order(run_one, len(batch), _threads(options["num_threads"]))

    def _progress(self, options, total):
        return BatchProgress(self.__name__, total) if options["progress_bar"] else None

    def _batch(self, batch, backend, sampling, options, progress):
        states = [None] * len(batch)
        run_one = self._run_one(batch, backend, sampling, progress)
        indices = iter(range(len(batch)))

        def worker():
            for index in indices:  # shared: each worker takes the next item
                states[index] = run_one(index)

        count = min(_threads(options["num_threads"]), len(batch))
        if count == 1:
            worker()
        else:
            _transport.join_all([_transport.spawn(worker) for _ in range(count)])
        return states

    def _run_one(self, batch, backend, sampling, progress):
        """A function that runs the program for an item of a batch, to its end."""

        def run_one(index):
            state = new_state(self.__name__, backend, sampling, False, True, self.num_api_spec_tokens)
            began = time.monotonic()
            run_body(self, state, (), {**batch[index], **self.bind_arguments})
            state.sync()
            if progress is not None:
                values = state.stream_executor.variables
                progress.step(index, batch[index], values, state.error(), time.monotonic() - began)
            return state

        return run_one

    def _batch_arguments(self, batch):
        kind = dict if isinstance(batch[0], dict) else (list, tuple)
        odd = next((i for i, item in enumerate(batch) if not isinstance(item, kind)), None)
        if odd is not None:
            wanted = "a dict, as item 0 is" if kind is dict else "a tuple or list of arguments"
            raise TypeError(f"item {odd} of the batch is not {wanted}, but {batch[odd]!r}")
        if kind is dict:
            return [dict(item) for item in batch]
        most = len(self.arg_names)
        least = most - len(self.arg_defaults)
        if not all(least <= len(item) <= most for item in batch):
            raise Exception("Given arguments mismatch the SGL function signature")
        return [dict(zip(self.arg_names, item)) for item in batch]

    # -------------------------------------------------------------- prefix, binding

    def bind(self, **kwargs):
        """The same program with some of its arguments fixed."""
        unknown = [name for name in kwargs if name not in self._own]
        assert not unknown, f"{self.__name__} has no parameter {unknown[0]!r}" if unknown else ""
        bound = {**self.bind_arguments, **kwargs}
        return SglFunction(self.func, self.num_api_spec_tokens, bound)

    def cache(self, backend=None):
        """Has the server compute the part of the prompt that no argument changes."""
        self._cache_prefix(resolve_backend(backend))

    def _try_cache_prefix(self, backend):
        try:
            self._cache_prefix(backend)
        except Exception:  # only a hint: if the server refuses it, the programs themselves will tell
            pass

    def _cache_prefix(self, backend):
        exprs = constant_prefix(self.func, self.bind_arguments)
        if exprs:
            _transport.call({"op": "cache_prefix", "backend": backend.id, "exprs": exprs})

    def trace(self, *, backend=None, **kwargs):
        """The program's expressions for these arguments, without generating anything."""
        from sglang.lang.tracer import trace_program

        return trace_program(self, {**kwargs, **self.bind_arguments}, backend)

    def _trace_within(self, args, kwargs):
        _, arguments = self._split(_RUN, kwargs)
        return self.trace(backend=tracing.get(), **dict(zip(self.arg_names, args)), **arguments)

    def _preview_prompt(self, **arguments):
        """What a run would send, with placeholders for what it would generate."""
        from sglang.lang.preview import preview

        return preview(self, arguments)

    def compile(self, *, backend=None):
        """The program with a graph that can be printed; it runs as the program itself does."""
        from sglang.lang.compiler import CompiledFunction

        return CompiledFunction(self, backend)

    # -------------------------------------------------------------- options

    def _split(self, options, given, own=True):
        """Options of the call, and what is left for the program itself."""
        mine = {name for name in self._own if own}
        taken = {k: v for k, v in given.items() if k in options and k not in mine}
        rest = {k: v for k, v in given.items() if k not in taken}
        return {**options, **taken}, rest

    def explain(self, problem, arguments):
        """Notes what the caller may have meant by an argument that neither the program nor ``run`` has."""
        if not isinstance(problem, TypeError) or problem.__traceback__.tb_next is not None:
            return  # of the program's own code
        for name in arguments:
            if str(problem).endswith(f"unexpected keyword argument {name!r}"):
                add_note(problem, _meant(name, [*self._own, *_RUN]))

    def _warn_about_speculation(self, backend):
        if self.num_api_spec_tokens is not None and "is_chat_model" not in backend.model_info:
            warnings.warn("num_api_spec_tokens only matters for OpenAI's API; it is ignored.", stacklevel=4)


def _meant(name, known):
    if name in _RUN:
        return f"{name!r} is an option of run_batch itself, not of its items."
    close = [_GEN_NAMES[name]] if name in _GEN_NAMES else difflib.get_close_matches(name, known, 1)
    return f"Did you mean {close[0]!r}?" if close else None


def _sampling(options):
    """The sampling parameters of a run, as the kernel takes them: what is None is left out, but no limit is meant."""
    sampling = {name: options[name] for name in _SAMPLING if options[name] is not None or name == "max_new_tokens"}
    if isinstance(sampling.get("stop"), (list, tuple)):
        sampling["stop"] = list(sampling["stop"])
    if not global_config.skip_special_tokens_in_output:
        sampling["skip_special_tokens"] = False
    if not global_config.spaces_between_special_tokens_in_out:
        sampling["spaces_between_special_tokens"] = False
    return sampling


def _threads(num_threads):
    if num_threads == "auto":
        return max(96, (os.cpu_count() or 1) * 16)
    return max(1, int(num_threads))


_kernel_default = None


def resolve_backend(backend):
    """The given backend, the program-wide default, or the kernel's own; AssertionError without one."""
    found = known_backend(backend)
    assert found is not None, "Please specify a backend: set_default_backend(RuntimeEndpoint(url))"
    if not isinstance(getattr(found, "id", None), int):
        raise TypeError(
            f"{found!r} is not connected to a server, so no program can run on it. "
            "Backends are made with RuntimeEndpoint(url), OpenAI(model) and their like; one written in Python cannot be used."
        )
    return found


def known_backend(backend):
    """The given backend, the program-wide default, the kernel's own, or None."""
    global _kernel_default
    refuse_in_preview()
    found = backend or global_config.default_backend
    if found is None:
        if _kernel_default is None:
            _kernel_default = _connect_kernel_default()
        found = _kernel_default
    return getattr(found, "endpoint", found)


def _connect_kernel_default():
    from sglang.lang.backend.base_backend import BaseBackend, own_matches

    answer = _transport.call({"op": "default_backend", "own_matches": own_matches()})
    if answer is None:
        return None
    backend = BaseBackend(answer)
    backend.base_url = answer["url"]
    return backend


def function(func=None, num_api_spec_tokens=None):
    """Decorator: makes a program of a function whose first parameter is ``s``."""
    if func is not None:
        return SglFunction(func)
    return lambda func: SglFunction(func, num_api_spec_tokens=num_api_spec_tokens)


