"""Headers: a dictionary whose keys differ in more than case."""

from collections.abc import MutableMapping


class CaseInsensitiveDict(MutableMapping):
    """Keeps the spelling of the last key that was set."""

    def __init__(self, data=None, **fields):
        self._entries = {}
        self.update(data or {}, **fields)

    def __setitem__(self, key, value):
        self._entries[key.lower()] = (key, value)

    def __getitem__(self, key):
        return self._entries[key.lower()][1]

    def __delitem__(self, key):
        del self._entries[key.lower()]

    def __iter__(self):
        return (key for key, _ in self._entries.values())

    def __len__(self):
        return len(self._entries)

    def __eq__(self, other):
        if not hasattr(other, "items"):
            return NotImplemented
        return {k.lower(): v for k, v in self.items()} == {k.lower(): v for k, v in other.items()}

    def copy(self):
        return CaseInsensitiveDict(self)

    def __repr__(self):
        return repr(dict(self.items()))
