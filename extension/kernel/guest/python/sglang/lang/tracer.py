"""Tracing of programs without running them on a server."""


def trace_program(program, arguments, backend):
    raise NotImplementedError("trace() is not supported yet; cache() and run_batch() do not need it.")
