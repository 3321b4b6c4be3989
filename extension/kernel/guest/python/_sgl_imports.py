"""For modules of others that need a change as soon as they are imported."""

import importlib.abc
import importlib.machinery
import sys


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


class _FirstImport(importlib.abc.MetaPathFinder):
    def __init__(self, name, prepare):
        self._name = name
        self._prepare = prepare

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = PreparingLoader(spec.loader, self._prepare)
        return spec


def when_imported(name, prepare):
    """Calls `prepare` with the top-level module `name` as soon as something imports it."""
    sys.meta_path.insert(0, _FirstImport(name, prepare))
