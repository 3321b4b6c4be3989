// `npm run bench [-- NAME…]`: runs the benchmarks whose file names contain one of the names, one
// after the other (two at once would measure each other). They print ratios; nothing here judges.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const names = process.argv.slice(2);
const benches = readdirSync(folder)
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => names.length === 0 || names.some((name) => file.includes(name)))
  .toSorted();
if (benches.length === 0) {
  console.error(`no benchmark matches ${names.join(', ')}`);
  process.exit(2);
}
for (const file of benches) {
  console.log(`\n=== ${file}`);
  const { status } = spawnSync(process.execPath, [join(folder, file)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
