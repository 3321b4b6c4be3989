/** One invocation of `sglnb`: arguments in, exit code out. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatReport, checkPaths, hasFailures } from '../../language-server/src/check.ts';
import { BackendStore } from '../model-manager/backend-packages.ts';
import { modelDirectory } from '../model-manager/model-directory.ts';
import { proxyFetch } from '../model-manager/proxy-fetch.ts';
import { createModelManager } from '../model-manager/model-manager.ts';
import { ModelManagerError } from '../model-manager/model-error.ts';
import { ModelAnswers } from '../model-manager/model-answers.ts';
import { ModelChoices } from '../model-manager/model-choices.ts';
import { HELP, parseCommand, type Command, type RunCommand } from './arguments.ts';
import { backendsCommand } from './backends-command.ts';
import { ConsoleView } from './console-view.ts';
import type { InputPrompt } from './input-prompt.ts';
import { doctorCommand } from './doctor-command.ts';
import { TerminalModelAsker } from './model-question.ts';
import { modelsCommand } from './models-command.ts';
import { checkWritable, readNotebook, writeNotebook } from './notebook-files.ts';
import { runCommand, type RunEnvironment } from './run-command.ts';
import { plainText } from './terminal-filter.ts';
import type { Terminal } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

export interface CliEnvironment {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly input: InputPrompt;
  readonly kernelEntry: string;
  readonly runtimeEntry: string;
  readonly version: string;
  readonly interrupt: AbortSignal;
  readonly kill: AbortSignal;
}

/** Runs the command to its end. Never throws for what a user can cause. */
export async function sglnb(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const { stderr } = environment;
  try {
    return await execute(parseCommand(argv), environment);
  } catch (error) {
    if (error instanceof ModelManagerError) return modelFailure(error, environment);
    if (!(error instanceof UsageError)) throw error;
    stderr.write(`sglnb: ${error.message}\n`);
    if (argv.length === 0) stderr.write(`\n${HELP}`);
    else stderr.write('"sglnb --help" shows all commands and options.\n');
    return EXIT.usage;
  }
}

async function execute(command: Command, environment: CliEnvironment): Promise<number> {
  const { stdout } = environment;
  switch (command.kind) {
    case 'help':
      stdout.write(HELP);
      return EXIT.ok;
    case 'version':
      stdout.write(`${environment.version}\n`);
      return EXIT.ok;
    case 'convert':
      return convert(command.input, command.output, environment);
    case 'check': {
      const { paths, stubsFolder } = command;
      const report = checkPaths(paths, {
        cwd: process.cwd(),
        ...(stubsFolder === null ? {} : { stubsFolder }),
      });
      stdout.write(formatReport(report, command.format));
      return hasFailures(report) ? EXIT.failed : EXIT.ok;
    }
    case 'models':
      return modelsCommand(command.action, {
        manager: createModelManager(process.env, process.platform, environment.runtimeEntry),
        terminal: stdout,
        interrupt: environment.interrupt,
      });
    case 'backends':
      return backendsCommand(command.action, backendStore(), stdout, environment.interrupt);
    case 'doctor':
      return doctorCommand({
        manager: createModelManager(process.env, process.platform, environment.runtimeEntry),
        terminal: stdout,
        version: environment.version,
        runtimeEntry: environment.runtimeEntry,
        interrupt: environment.interrupt,
      });
    case 'run':
      return runCommand(command, {
        ...environment,
        view: new ConsoleView(stdout),
        showSource: command.showSource ?? stdout.isTty,
        chooseModel: modelChooser(command.missingModel, environment),
      });
    default:
      return command satisfies never;
  }
}

function backendStore(): BackendStore {
  const send = proxyFetch(process.env);
  return new BackendStore({
    ...(send === null ? {} : { fetch: send }),
    models: modelDirectory(process.env, process.platform),
    registry: process.env['SGLNB_REGISTRY'] || process.env['npm_config_registry'],
    platform: `${process.platform}-${process.arch}`,
  });
}

/** Asks only where somebody can answer: input and output are a terminal. */
function modelChooser(
  missing: RunCommand['missingModel'],
  environment: CliEnvironment,
): RunEnvironment['chooseModel'] {
  const { stdout, input } = environment;
  return async (name, folder, signal) => {
    const manager = createModelManager(process.env, process.platform, environment.runtimeEntry);
    const choices = new ModelChoices(manager.store.directory);
    const asks = missing === 'ask' && stdout.isTty && input.isTty;
    const asker = asks ? new TerminalModelAsker(manager, stdout, input) : null;
    const place = { notebook: folder, workspace: workspaceOf(folder) };
    return new ModelAnswers(manager, choices, asker).answer(name, place, signal);
  };
}

/** The nearest folder with a project's mark, else the folder itself. */
function workspaceOf(folder: string): string {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    if (['.git', '.vscode'].some((mark) => existsSync(join(at, mark)))) return at;
  }
  return folder;
}

function modelFailure(error: ModelManagerError, { stderr, interrupt }: CliEnvironment): number {
  if (error.code === 'CANCELLED') {
    stderr.write('sglnb: interrupted\n');
    return interrupt.reason === 'terminate' ? EXIT.terminated : EXIT.interrupted;
  }
  stderr.write(`sglnb: ${plainText(error.message)}\n`);
  return error.code === 'BAD_NAME' ? EXIT.usage : EXIT.failed;
}

async function convert(input: string, output: string, { stderr }: CliEnvironment): Promise<number> {
  checkWritable(output);
  const { document, warnings } = await readNotebook(input);
  for (const warning of warnings) stderr.write(`${input}: ${warning}\n`);
  await writeNotebook(output, document);
  return EXIT.ok;
}
