"""The one door between this package and the kernel's interpreter.

A guest provides the module ``_sgl_transport``, of which this package uses only:

``post(message: dict) -> None``
    Sends a message, fire and forget, in order. Never blocks; raises only where the message is no JSON.
``call(message: dict) -> object``
    Sends a message and waits for its answer, the value of ``ok``. An answer ``error`` is raised as
    ``BridgeError``; ``KeyboardInterrupt`` when the cell is interrupted. While it waits, other program
    bodies go on (stack switching in WebAssembly, threads in CPython).
``call_async(message: dict) -> coroutine``
    As ``call``, for code that runs in an event loop; an interrupt cancels it.
``class BridgeError(RuntimeError)``
    With attributes ``python_type`` and ``message``, as in the interpreter's ``BridgeError``.
``spawn(fn) -> task``
    Runs ``fn()`` concurrently with the caller. ``task.join()`` waits and raises what ``fn`` raised
    (once); ``task.done()`` tells whether it ended.
``join_all(tasks) -> None``
    Joins all of them, then raises the first exception, if any.
``run_coro(coroutine) -> object``
    Runs a coroutine to its end from synchronous code.
``real_path(path: str) -> str``
    The absolute path under which the kernel sees a file of the guest.

The messages are those of ``bridge-protocol.ts``.
"""

import collections

import _sgl_transport as _guest
from _sgl_patience import patience

post = _guest.post
spawn = _guest.spawn
join_all = _guest.join_all
real_path = _guest.real_path
run_coro = _guest.run_coro
BridgeError = _guest.BridgeError


def call(message):
    """The answer to ``message``; an error answer becomes the Python exception that it names."""
    try:
        return _guest.call(message)
    except BridgeError as error:
        from sglang._errors import exception_of

        raise exception_of(error.python_type, error.message) from None


async def call_async(message):
    """As ``call``, without blocking the event loop."""
    try:
        return await _guest.call_async(message)
    except BridgeError as error:
        from sglang._errors import exception_of

        raise exception_of(error.python_type, error.message) from None


# A finaliser may run anywhere, even while the transport holds its lock: it only leaves a note here,
# and the next new state delivers the notes.
_dropped = collections.deque()


def drop_later(sid):
    """Remembers that no one refers to the state ``sid`` any more."""
    _dropped.append(sid)


def flush_dropped():
    """Tells the interpreter about the states that are no longer referred to."""
    if _dropped:
        sids = []
        while _dropped:
            sids.append(_dropped.popleft())
        post({"op": "drop", "sids": sids})
