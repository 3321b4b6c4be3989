"""How long whoever reads a program state may wait for it.

Programs wait as long as it takes (`None`). Views and a debugger hold up what they look at: they wait a few
seconds (a number), or not at all (0), and never for something that goes on only after them.
"""

import contextlib
import contextvars

patience = contextvars.ContextVar("sglang_patience", default=None)


@contextlib.contextmanager
def limited(seconds):
    token = patience.set(seconds)
    try:
        yield
    finally:
        patience.reset(token)
