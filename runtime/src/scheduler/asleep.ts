/** What the engine thread answers while its model is unloaded: everything but work. */
import type { FromEngine, SchedulerState, ToEngine } from './messages.ts';
import type { SchedulerDump } from './state-dump.ts';

/** The last words of the scheduler before the model went. */
export interface LastState {
  readonly state: SchedulerState;
  readonly dump: SchedulerDump;
}

/** `work` needs the model again; `stop` ends the thread. */
export function answerAsleep(
  message: ToEngine,
  last: LastState,
  post: (message: FromEngine) => void,
): 'asleep' | 'work' | 'stop' {
  switch (message.type) {
    case 'generate':
    case 'image':
      return 'work';
    case 'stop':
      return 'stop';
    case 'flush':
      post({ type: 'flushed', call: message.call, done: true });
      return 'asleep';
    case 'state':
      post({ type: 'state', call: message.call, state: last.state });
      return 'asleep';
    case 'dump':
      post({ type: 'dump', call: message.call, dump: last.dump });
      return 'asleep';
    case 'abort':
      return 'asleep';
    default:
      return message satisfies never;
  }
}
