/**
 * Hides suspended stacks from the garbage collector. Pyodide gives each stack a thread state of its own,
 * but all of them share one memory for C's stack: that of a suspended one is moved away, with parts of
 * its chain of frames in it. Python's collector walks the frames of every thread state (CPython 3.14,
 * `mark_stacks` in `gc.c`) and would read what another stack has written there. So a thread state has no
 * current frame while its stack is suspended; what the frames hold keeps its reference counts.
 */
import type { PyodideAPI } from 'pyodide';

export interface CurrentFrame {
  /** Called by Python just before it suspends; the answer is for `resume`. */
  suspend(): number;
  /** Called when it goes on, on the same stack. */
  resume(frame: number): void;
}

/** What is used of Pyodide's own module. */
interface Memory {
  readonly _PyThreadState_Get: () => number;
  /** Replaced when the memory grows. */
  readonly HEAPU32: Uint32Array;
}

/** Offset of `f_frame` in CPython's `PyFrameObject` on a 32-bit machine: reference count, type, `f_back`. */
const FRAME_POINTER = 12;
/** Bytes of `PyThreadState` that are searched for the pointer to the current frame. */
const SEARCHED = 400;

export class FrameLayoutError extends Error {
  readonly code = 'FRAME_LAYOUT';
}

/** @throws FrameLayoutError when this Python keeps its current frame somewhere else. */
export function trackCurrentFrame(pyodide: PyodideAPI): CurrentFrame {
  // SAFETY: Pyodide documents `_module` as Emscripten's module; the members are checked below.
  const memory = (pyodide as unknown as { readonly _module: Partial<Memory> })._module;
  if (!isMemory(memory)) throw new FrameLayoutError("Pyodide's memory is not accessible.");
  const offset = offsetOfFrame(pyodide, memory);
  const index = (): number =>
    (memory._PyThreadState_Get() + offset) / Uint32Array.BYTES_PER_ELEMENT;
  return {
    suspend: () => {
      const frame = memory.HEAPU32[index()] ?? 0;
      memory.HEAPU32[index()] = 0;
      return frame;
    },
    resume: (frame) => {
      memory.HEAPU32[index()] = frame;
    },
  };
}

function isMemory(module: Partial<Memory>): module is Memory {
  return typeof module._PyThreadState_Get === 'function' && module.HEAPU32 instanceof Uint32Array;
}

/** Asks a running frame for its own address and finds where the thread state holds it. */
function offsetOfFrame(pyodide: PyodideAPI, memory: Memory): number {
  const offsets: number[] = [];
  const locate = (frameObject: number): void => {
    const thread = memory._PyThreadState_Get();
    const frame = memory.HEAPU32[(frameObject + FRAME_POINTER) / Uint32Array.BYTES_PER_ELEMENT];
    for (let offset = 0; offset < SEARCHED; offset += Uint32Array.BYTES_PER_ELEMENT) {
      const value = memory.HEAPU32[(thread + offset) / Uint32Array.BYTES_PER_ELEMENT];
      if (value === frame) offsets.push(offset);
    }
  };
  // SAFETY: the code defines a function of one argument.
  const probe = pyodide.runPython(
    'def _probe(locate):\n    import sys\n    locate(id(sys._getframe()))\n_probe',
    { globals: pyodide.toPy({}) as never },
  ) as (locate: (frameObject: number) => void) => void;
  probe(locate);
  const [offset] = offsets;
  if (offset !== undefined && offsets.length === 1) return offset;
  throw new FrameLayoutError(`Python's current frame was found ${offsets.length} times.`);
}
