// `npm test`: every suite in order of speed, each counted, one summary line at the end.
// `npm test -- unit process` runs only the named suites.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { ensureLibmtmd } from './support/libmtmd.mjs';
import { ensurePython314 } from './support/python-314.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const results = join(root, 'test', 'results');
const bin = (name) => join(root, 'node_modules', ...name.split('/'));

/** Static checks: each is one test that passes when its command exits 0. */
const checks = [
  ['format', [bin('oxfmt/bin/oxfmt'), '--check', '.']],
  ['lint', [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
  ['types', [bin('@typescript/native/bin/tsc'), '-b']],
];

function node(args) {
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return result.status === 0;
}

function runChecks() {
  const tally = { passed: 0, failed: 0, failures: [], unsteady: [], skipped: [] };
  for (const [name, command] of checks) {
    const passed = node(command);
    console.log(`check ${name}: ${passed ? 'passed' : 'FAILED'}`);
    if (passed) tally.passed += 1;
    else {
      tally.failed += 1;
      tally.failures.push(`check ${name}`);
    }
  }
  return tally;
}

/** Runs one vitest project; its JSON report is the count, a missing report is one failure. */
function runVitest(project) {
  const report = join(results, `${project}.json`);
  rmSync(report, { force: true });
  const passed = node([
    bin('vitest/vitest.mjs'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  return readReport(report, passed);
}

/** Counts of a report in Vitest's JSON format. */
function readReport(file, exitedCleanly) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    console.error(`no report at ${file}: the suite did not run to its end`);
    return { passed: 0, failed: 1, failures: [`no report at ${file}`], unsteady: [], skipped: [] };
  }
  // A file that could not be loaded, or whose preparation failed, has no failed test of its own.
  const failedSuites = report.testResults.filter(
    (suite) =>
      suite.status === 'failed' && suite.assertionResults.every((t) => t.status !== 'failed'),
  );
  const failed = report.numFailedTests + failedSuites.length;
  const failures = [
    ...failedSuites.map((suite) => {
      const reason = firstLines(suite.message) || 'its preparation failed, see above';
      return `${relative(root, suite.name)}: ${reason}`;
    }),
    ...report.testResults.flatMap((suite) =>
      suite.assertionResults
        .filter((test) => test.status === 'failed')
        .map((test) => nameWithError(suite, test)),
    ),
  ];
  const unsteady = report.testResults.flatMap((suite) =>
    suite.assertionResults
      .filter((test) => test.status === 'passed' && test.failureMessages.length > 0)
      .map((test) => nameWithError(suite, test)),
  );
  const skipped = reasons(
    report.testResults
      .flatMap((suite) => suite.assertionResults)
      .filter((test) => test.status !== 'passed' && test.status !== 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && !exitedCleanly ? 1 : failed,
    failures:
      failed === 0 && !exitedCleanly ? [`${file}: the suite ended with an error`] : failures,
    unsteady,
    skipped,
  };
}

/** Tests that did not run: by name, or counted where the title of their suite has the reason. */
function reasons(tests) {
  const reason = ({ ancestorTitles, fullName }) =>
    ancestorTitles.find((title) => title.startsWith('skipped: '))?.slice('skipped: '.length) ??
    fullName;
  return Array.from(Map.groupBy(tests, reason), ([text, { length }]) =>
    length === 1 ? text : `${length} tests: ${text}`,
  );
}

function nameWithError(suite, test) {
  return `${relative(root, suite.name)} > ${test.fullName}: ${firstLines(test.failureMessages[0])}`;
}

/** What fits the summary of a run; the whole error is where the test ran. */
function firstLines(message = '') {
  const text = stripVTControlCharacters(message).trim();
  return text.split('\n').slice(0, 3).join('\n    ').slice(0, 400);
}

function runProcessTests() {
  const lacks = {
    'vision models by libmtmd': ensureLibmtmd(root),
    'Python 3.14': ensurePython314(),
  };
  const tally = runVitest('process');
  for (const [what, reason] of Object.entries(lacks))
    if (reason !== null) tally.skipped.push(`${what}: ${reason}`);
  return tally;
}

const suites = {
  check: runChecks,
  unit: () => runVitest('unit'),
  process: runProcessTests,
  vscode: () => runVitest('vscode'),
};

mkdirSync(results, { recursive: true });
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(
    `unknown suite ${unknown.join(', ')}; there are: ${Object.keys(suites).join(', ')}`,
  );
  process.exit(2);
}

const total = { passed: 0, failed: 0, failures: [], unsteady: [], skipped: [] };
for (const [name, run] of Object.entries(suites)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const started = performance.now();
  console.log(`\n=== ${name}`);
  const tally = run();
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.failures.push(...tally.failures);
  total.unsteady.push(...tally.unsteady);
  total.skipped.push(...tally.skipped);
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`=== ${name}: ${tally.passed} passed, ${tally.failed} failed, ${seconds} s`);
}
for (const name of total.skipped) console.log(`not run: ${name}`);
for (const test of total.unsteady) console.log(`UNSTEADY, passed at the second try: ${test}`);
for (const failure of total.failures) console.log(`FAILED: ${failure}`);
if (total.passed === 0) total.failed += 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
