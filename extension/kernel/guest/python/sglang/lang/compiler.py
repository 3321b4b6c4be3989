"""``program.compile()`` of SGLang v0.4.

SGLang executes a compiled program from its traced graph, with requests that its own server refuses.
Here a compiled program runs as any other, so every program can be compiled; the graph is for reading.
"""


class CompiledFunction:
    """A program and the graph of its expressions."""

    def __init__(self, program, backend=None):
        self.function = program
        self._backend = backend

    def print_graph(self):
        print(self.function.trace(backend=self._backend).last_node.print_graph_dfs(), end="")

    def run(self, *, backend=None, **kwargs):
        return self.function.run(backend=backend or self._backend, **kwargs)

    def run_batch(self, batch_kwargs, *, backend=None, **options):
        return self.function.run_batch(batch_kwargs, backend=backend or self._backend, **options)
