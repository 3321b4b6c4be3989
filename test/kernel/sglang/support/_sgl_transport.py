"""The smallest transport that satisfies sglang/_transport.py: JSON lines over stdin and stdout."""

import asyncio
import itertools
import json
import os
import queue
import sys
import threading

_input = os.fdopen(os.dup(0), "r", encoding="utf-8")
_output = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.stdout = sys.stderr
_lock = threading.RLock()
_ids = itertools.count(1)
_waiting = {}


class BridgeError(RuntimeError):
    def __init__(self, python_type, message):
        super().__init__(message)
        self.python_type, self.message = python_type, message


def _send(envelope):
    with _lock:
        _output.write(json.dumps(envelope) + "\n")
        _output.flush()


def post(message):
    _send({"post": message})


def call(message):
    number, answers = next(_ids), queue.SimpleQueue()
    _waiting[number] = answers
    _send({"call": message, "id": number})
    reply = answers.get()
    if "error" in reply:
        error = reply["error"]
        if error["pythonType"] == "KeyboardInterrupt":
            raise KeyboardInterrupt
        raise BridgeError(error["pythonType"], error["message"])
    return reply["ok"]


class _Answer:
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.future = self.loop.create_future()

    def put(self, reply):
        self.loop.call_soon_threadsafe(self.future.set_result, reply)


async def call_async(message):
    number, answer = next(_ids), _Answer()
    _waiting[number] = answer
    _send({"call": message, "id": number})
    reply = await answer.future
    if "error" in reply:
        raise BridgeError(reply["error"]["pythonType"], reply["error"]["message"])
    return reply["ok"]


def _read():
    for line in _input:
        answer = json.loads(line)
        _waiting.pop(answer["id"]).put(answer["reply"])
    os._exit(0)


threading.Thread(target=_read, daemon=True).start()


class _Task(threading.Thread):
    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.problem = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except BaseException as problem:
            self.problem = problem

    def done(self):
        return not self.is_alive()

    def join(self):
        super().join()
        problem, self.problem = self.problem, None
        if problem is not None:
            raise problem


spawn = _Task


def join_all(tasks):
    first = None
    for task in tasks:
        try:
            task.join()
        except Exception as problem:
            first = first or problem
    if first:
        raise first


run_coro = asyncio.run
real_path = os.path.abspath
