"""JSON for the kernel: what it cannot read is an exception here, where it is seen."""

import json


def _plain(value):
    """Numbers of numpy and its like; anything else is a TypeError."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


# NaN and infinity, which JSON does not have, are a ValueError.
encode = json.JSONEncoder(allow_nan=False, default=_plain).encode
