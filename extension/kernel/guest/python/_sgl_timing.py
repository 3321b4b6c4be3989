"""`%time`, `%timeit` and `%prun`."""

import ast
import re
import statistics
import time

# Seconds that one run of `%timeit` takes at least when the user gives no counts.
_LEAST = 0.2
_RUNS = 7


def timed(run):
    processor, wall = time.process_time(), time.perf_counter()
    try:
        return run()
    finally:
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
        print(f"CPU times: {_duration(processor)}\nWall time: {_duration(wall)}")


def options_of(arguments):
    """The counts of `-n` (loops of a run) and `-r` (runs), at least 1, and what follows them."""
    counts = {}
    while True:
        option = re.match(r"\s*-([nr])\s*(\d+)(?:\s+|$)", arguments)
        if option is None:
            break
        counts[option[1]] = max(1, int(option[2]))
        arguments = arguments[option.end() :]
    if re.match(r"\s*-[a-zA-Z]+(\s|$)", arguments):
        raise ValueError(f"timeit knows the options -n N and -r R only: {arguments.strip()}")
    return counts, arguments


def loop_of(tree, file_name, namespace):
    """A function that runs the statements as often as it is told, compiled once; what they assign is its own."""
    loop = ast.parse("def timed(repeat):\n    for _ in repeat:\n        pass")
    for node in ast.walk(loop):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = tree.body[0].lineno if tree.body else 1
    if tree.body:
        loop.body[0].body[0].body = tree.body
    made = {}
    exec(compile(loop, file_name, "exec", dont_inherit=True), namespace, made)
    return made["timed"]


def measure(loop, counts):
    """Prints how long a pass takes, as the mean of several runs of many passes each."""
    loops = counts.get("n") or _enough(loop)
    runs = [_seconds(loop, loops) / loops for _ in range(counts.get("r", _RUNS))]
    spread = statistics.pstdev(runs)
    print(
        f"{_duration(statistics.fmean(runs))} ± {_duration(spread)} per loop "
        f"(mean ± std. dev. of {len(runs)} runs, {loops:,} loops each; best {_duration(min(runs))})"
    )


def _seconds(loop, count):
    begin = time.perf_counter()
    loop(range(count))
    return time.perf_counter() - begin


def _enough(loop):
    """1, 2, 5, 10 … passes, the first number that takes long enough to be measured."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if _seconds(loop, size * factor) >= _LEAST:
                return size * factor
        size *= 10


def profiled(run):
    """Runs and prints where the time went: the twenty functions that took most of it."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    try:
        return profile.runcall(run)
    finally:
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(20)


def _duration(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
