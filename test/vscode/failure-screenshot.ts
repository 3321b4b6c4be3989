/** What a failed test leaves for whoever looks for the reason. */
import { afterEach } from 'vitest';
import type { Workbench } from './workbench.ts';

/** Takes a picture of the window after each failed test of the file or the suite that calls this. */
export function pictureFailures(window: () => Workbench): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail')
      await window().screenshot(`failed-${task.name.replaceAll(/\W+/g, '-')}`);
  });
}
