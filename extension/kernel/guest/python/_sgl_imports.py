"""For modules of others that need a change as soon as they are imported."""


class PreparingLoader:
    """Does what `loader` does, then calls `prepare` with the new module."""

    def __init__(self, loader, prepare):
        self._loader = loader
        self._prepare = prepare

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        self._prepare(module)

    def __getattr__(self, name):
        return getattr(self._loader, name)
