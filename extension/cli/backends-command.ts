/** `sglnb backends …`: builds of llama.cpp for GPUs. */
import type { BackendStore } from '../model-manager/backend-packages.ts';
import { byteText } from '../model-manager/byte-text.ts';
import type { BackendsAction } from './arguments.ts';
import type { Terminal } from './terminal.ts';
import { EXIT } from './usage-error.ts';

/** @throws ModelManagerError */
export async function backendsCommand(
  action: BackendsAction,
  store: BackendStore,
  terminal: Terminal,
  interrupt: AbortSignal,
): Promise<number> {
  switch (action.kind) {
    case 'list':
      return list(store, terminal);
    case 'pull': {
      let shown = 0;
      const folder = await store.pull(action.name, interrupt, ({ received, total }) => {
        if (total === null || received / total < shown + 0.1) return;
        shown = received / total;
        terminal.write(
          `${Math.floor(shown * 100)} %  ${byteText(received)} of ${byteText(total)}\n`,
        );
      });
      terminal.write(
        `${folder}\nThe runtime tries it at its next start; "sglnb doctor" shows it.\n`,
      );
      return EXIT.ok;
    }
    case 'remove':
      terminal.write(`deleted ${await store.remove(action.name)}\n`);
      return EXIT.ok;
    default:
      return action satisfies never;
  }
}

async function list(store: BackendStore, terminal: Terminal): Promise<number> {
  const installed = await store.installed();
  terminal.write(`Builds in ${store.folder}: ${installed.join(', ') || 'none'}\n`);
  for (const { name, npm, needs } of store.available) {
    terminal.write(`  ${name}  @node-llama-cpp/${npm}, needs ${needs}\n`);
  }
  return EXIT.ok;
}
