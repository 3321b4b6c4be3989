/** Command line → command. Everything that can be wrong with it is a `UsageError`. */
import { parseArgs } from 'node:util';
import { parseSshUrl } from '../child-processes/ssh-address.ts';
import { UsageError } from './usage-error.ts';

export const HELP = `sglnb: run and convert SGLang notebooks

  sglnb run FILE [options]     execute a notebook (.sglnb, .ipynb, .py), output on the terminal
  sglnb convert IN OUT         convert between .sglnb, .ipynb and .py; also to .md and .html
  sglnb check PATH...          diagnostics of notebooks and programs, or of all that are in a folder
  sglnb models                 models of this machine; see below
  sglnb backends               builds of llama.cpp for GPUs: list, pull NAME, rm NAME (SGLNB_REGISTRY)
  sglnb doctor                 is everything here that is needed, and does it work?
  sglnb --help, --version

Models (the folder is $SGLNB_MODELS; servers: SGLNB_MIRROR, HF_TOKEN for gated models;
a proxy: SGLNB_PROXY or HTTPS_PROXY):
  sglnb models [list]          models that are here, and well-known ones, with what fits the memory
  sglnb models search WORDS    repositories with GGUF files
  sglnb models pull NAME       download: org/name, org/name:Q8_0, org/name/file.gguf or an address;
                               continues where an earlier download stopped
  sglnb models verify [NAME]   read the files again and compare size and SHA-256
  sglnb models rm NAME         delete
  sglnb models import [NAME]   link a model of LM Studio, Ollama or llama.cpp, or a file; without
                               NAME show what can be linked
  sglnb models path            the folder

Options of check:
      --format text|json|sarif
      --emit-stubs DIR     also write a .pyi file for each module with programs: mypy and pyright
                           then know what state["..."] holds; with DIR "." beside the modules

Options of run:
  -o, --output FILE        write the executed notebook, with its outputs; the input never changes
  -p, --param NAME=VALUE   set a variable after the cell tagged "parameters", or before all cells;
                           VALUE is JSON (3, true, [1,2], "3") or else a string; may be repeated
      --python PATH        run the cells in this Python (3.9 or newer) in place of the bundled one
      --endpoint URL       default SGLang server for cells that set no backend; several URLs with commas
                           between them share the work, and one may fail; one that only a machine that
                           you log in to can reach: ssh://[USER@]HOST[:PORT]/127.0.0.1:30000
      --model PATH         model (GGUF file or name) in place of the one that cells launch
      --missing-model ask|starter  a model that is not here: ask (default, on a terminal only), or run
                           the bundled starter model
      --timeout SECONDS    interrupt a cell that runs longer and count it as failed
      --allow-errors       go on after a failing cell (the exit code is still 1)
      --source, --no-source  show each cell's source (default: on a terminal only)
      -- ARGS...           what the program finds in sys.argv: sglnb run program.py -- --parallel 8

Exit codes: 0 all cells ran; 1 a cell failed or the kernel died; 2 wrong usage or unreadable file;
130 interrupted with Ctrl-C (once: interrupt the cell; twice: kill the kernel).
Colours are used on terminals unless NO_COLOR is set.
`;

export interface Parameter {
  readonly name: string;
  readonly value: string;
}

export interface RunCommand {
  readonly kind: 'run';
  readonly file: string;
  readonly output: string | null;
  readonly parameters: readonly Parameter[];
  /** Interpreter; `null` for the bundled Python. */
  readonly python: string | null;
  /** What follows `--`. */
  readonly programArguments: readonly string[];
  readonly endpoint: string | null;
  readonly model: string | null;
  readonly missingModel: 'ask' | 'starter';
  readonly timeoutSeconds: number | null;
  readonly allowErrors: boolean;
  readonly showSource: boolean | null;
}

export type ModelsAction =
  | { readonly kind: 'list' | 'path' }
  | { readonly kind: 'search' | 'pull' | 'remove'; readonly name: string }
  | { readonly kind: 'verify' | 'import'; readonly name: string | null };

export type BackendsAction =
  | { readonly kind: 'list' }
  | { readonly kind: 'pull' | 'remove'; readonly name: string };

const FORMATS = ['text', 'json', 'sarif'] as const;
export type CheckFormat = (typeof FORMATS)[number];

export type Command =
  | RunCommand
  | { readonly kind: 'models'; readonly action: ModelsAction }
  | {
      readonly kind: 'check';
      readonly paths: readonly string[];
      readonly format: CheckFormat;
      readonly stubsFolder: string | null;
    }
  | { readonly kind: 'backends'; readonly action: BackendsAction }
  | { readonly kind: 'doctor' }
  | { readonly kind: 'convert'; readonly input: string; readonly output: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  output: { type: 'string', short: 'o' },
  param: { type: 'string', short: 'p', multiple: true },
  python: { type: 'string' },
  endpoint: { type: 'string' },
  model: { type: 'string' },
  'missing-model': { type: 'string' },
  timeout: { type: 'string' },
  'allow-errors': { type: 'boolean' },
  source: { type: 'boolean' },
  format: { type: 'string' },
  'emit-stubs': { type: 'string' },
} as const;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: OPTIONS,
      allowPositionals: true,
      allowNegative: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parse>['values'];

/** @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const programArguments = end === -1 ? [] : argv.slice(end + 1);
  const { values, positionals } = parse(own);
  const [name, ...files] = positionals;
  if (values.help === true || name === 'help') return { kind: 'help' };
  if (values.version === true) return { kind: 'version' };
  if (programArguments.length > 0 && name !== 'run')
    throw new UsageError('Only run takes arguments after --');
  switch (name) {
    case 'run':
      return runCommand(files, values, programArguments);
    case 'convert':
      return convertCommand(files, values);
    case 'check':
      return checkCommand(files, values);
    case 'models':
      refuseOptions('models', values);
      return { kind: 'models', action: modelsAction(files) };
    case 'backends':
      refuseOptions('backends', values);
      return { kind: 'backends', action: backendsAction(files) };
    case 'doctor':
      refuseOptions('doctor', values);
      if (files.length > 0) throw new UsageError('doctor takes no arguments');
      return { kind: 'doctor' };
    case undefined:
      throw new UsageError(`Name a command: ${COMMANDS}.`);
    default:
      throw new UsageError(`Unknown command "${name}"; there are ${COMMANDS}.`);
  }
}

const COMMANDS = 'run, convert, check, models, backends and doctor';

function refuseOptions(command: string, values: Values): void {
  const given = Object.keys(values);
  if (given.length > 0) throw new UsageError(`${command} has no option --${given.join(', --')}`);
}

function checkCommand(paths: readonly string[], values: Values): Command {
  const { format, 'emit-stubs': stubsFolder, ...others } = values;
  refuseOptions('check', others);
  if (paths.length === 0) throw new UsageError('Name what to check: sglnb check PATH...');
  const chosen = FORMATS.find((known) => known === (format ?? 'text'));
  if (chosen === undefined) {
    throw new UsageError(`--format is one of ${FORMATS.join(', ')}, not "${format}"`);
  }
  if (stubsFolder === '') throw new UsageError('--emit-stubs needs a folder');
  return { kind: 'check', paths, format: chosen, stubsFolder: stubsFolder ?? null };
}

function modelsAction([action = 'list', ...names]: readonly string[]): ModelsAction {
  switch (action) {
    case 'list':
    case 'path':
      if (names.length > 0) throw new UsageError(`models ${action} takes no arguments`);
      return { kind: action };
    case 'search':
      return { kind: action, name: required(action, names.join(' ')) };
    case 'pull':
      return { kind: action, name: required(action, atMostOne(action, names)) };
    case 'rm':
      return { kind: 'remove', name: required(action, atMostOne(action, names)) };
    case 'verify':
    case 'import':
      return { kind: action, name: atMostOne(action, names) };
    default:
      throw new UsageError(
        `Unknown command "models ${action}"; there are list, search, pull, rm, verify, import and path.`,
      );
  }
}

function backendsAction([action = 'list', ...names]: readonly string[]): BackendsAction {
  const name = atMostOne(action, names);
  if (action === 'list' && name === null) return { kind: 'list' };
  if (name === null || (action !== 'pull' && action !== 'rm')) {
    throw new UsageError('There are: backends [list], backends pull NAME, backends rm NAME.');
  }
  return { kind: action === 'pull' ? 'pull' : 'remove', name };
}

function atMostOne(action: string, [name, ...more]: readonly string[]): string | null {
  if (more.length > 0)
    throw new UsageError(`${action} takes one name, not also ${more.join(', ')}`);
  return name ?? null;
}

function required(action: string, name: string | null): string {
  if (name === null || name === '')
    throw new UsageError(`Name a model: sglnb models ${action} NAME`);
  return name;
}

function runCommand(
  files: readonly string[],
  values: Values,
  programArguments: readonly string[],
): RunCommand {
  const [file, ...more] = files;
  if (file === undefined) throw new UsageError('Name the notebook to run: sglnb run FILE');
  if (values.format !== undefined) throw new UsageError('run has no option --format');
  if (more.length > 0) throw new UsageError(`run takes one notebook, not also ${more.join(', ')}`);
  return {
    kind: 'run',
    file,
    output: values.output ?? null,
    parameters: (values.param ?? []).map(parseParameter),
    python: values.python ?? null,
    programArguments,
    endpoint: values.endpoint === undefined ? null : checkEndpoint(values.endpoint),
    model: values.model ?? null,
    missingModel: checkMissingModel(values['missing-model'] ?? 'ask'),
    timeoutSeconds: values.timeout === undefined ? null : checkTimeout(values.timeout),
    allowErrors: values['allow-errors'] ?? false,
    showSource: values.source ?? null,
  };
}

function convertCommand(files: readonly string[], values: Values): Command {
  const [input, output, ...more] = files;
  if (input === undefined || output === undefined || more.length > 0) {
    throw new UsageError('convert takes two files: sglnb convert IN OUT');
  }
  refuseOptions('convert', values);
  return { kind: 'convert', input, output };
}

const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const KEYWORDS = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
);

function parseParameter(text: string): Parameter {
  const equals = text.indexOf('=');
  if (equals === -1) throw new UsageError(`--param needs NAME=VALUE, not "${text}"`);
  const name = text.slice(0, equals).trim();
  if (!IDENTIFIER.test(name) || KEYWORDS.has(name)) {
    throw new UsageError(`--param: "${name}" cannot be the name of a Python variable`);
  }
  return { name, value: text.slice(equals + 1) };
}

/** One URL, or several with commas between them. */
function checkEndpoint(text: string): string {
  const urls = text.split(',').map((part) => part.trim());
  for (const each of urls) {
    const url = URL.canParse(each) ? new URL(each) : null;
    const isHttp = url !== null && /^https?:$/.test(url.protocol);
    if (!isHttp && parseSshUrl(each) === null) {
      throw new UsageError(
        `--endpoint needs a URL such as http://127.0.0.1:30000, or one behind ssh such as ` +
          `ssh://me@gpu-box/127.0.0.1:30000, not "${each}"`,
      );
    }
  }
  return urls.map((url) => url.replace(/\/+$/, '')).join(',');
}

function checkMissingModel(text: string): RunCommand['missingModel'] {
  if (text === 'ask' || text === 'starter') return text;
  throw new UsageError(`--missing-model is "ask" or "starter", not "${text}"`);
}

/** The longest delay that Node's timers keep, in seconds. */
const LONGEST_TIMEOUT = 2_147_483;

function checkTimeout(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0) || seconds > LONGEST_TIMEOUT) {
    throw new UsageError(
      `--timeout needs a number of seconds above 0 and up to ${LONGEST_TIMEOUT}, not "${text}"`,
    );
  }
  return seconds;
}
