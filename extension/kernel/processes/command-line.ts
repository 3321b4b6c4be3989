/**
 * Reads the command lines of `sglang.utils.execute_shell_command` as SGLang does: backslashes count as
 * spaces, words are split at white space, and there is no shell and no quoting.
 */

export interface ServerLaunch {
  /** The flags of `sglang.launch_server`, as written. */
  readonly flags: readonly string[];
  readonly modelPath: string | null;
  readonly port: number;
  /** The command itself, after the variables. */
  readonly command: readonly string[];
  /** Words that start Python, before `-m`; none where the command leaves Python out. */
  readonly python: readonly string[];
  /** Variables written before the command: `CUDA_VISIBLE_DEVICES=0 python3 -m …`. */
  readonly environment: Readonly<Record<string, string>>;
}

/** SGLang's default port. */
const DEFAULT_PORT = 30_000;
const MODEL_FLAGS = ['--model-path', '--model'];

export function splitCommand(command: string): readonly string[] {
  return command
    .replaceAll('\\', ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** The launch of an SGLang server that these words mean; `null` for any other program. */
export function parseServerLaunch(words: readonly string[]): ServerLaunch | null {
  const program = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  if (program === -1) return null;
  const command = words.slice(program);
  const flags = launchFlags(command);
  if (flags === null) return null;
  const port = Number(flagValue(flags, ['--port']) ?? DEFAULT_PORT);
  return {
    flags,
    modelPath: flagValue(flags, MODEL_FLAGS),
    port: Number.isInteger(port) ? port : DEFAULT_PORT,
    command,
    python: command[0] === 'sglang' ? [] : command.slice(0, command.indexOf('-m')),
    environment: Object.fromEntries(words.slice(0, program).map(assignment)),
  };
}

/** Any Python counts: `python`, `python3.12`, `/usr/bin/python3`, or none where `sys.executable` is empty. */
function launchFlags(words: readonly string[]): readonly string[] | null {
  const module = words.indexOf('-m');
  if (module !== -1 && words[module + 1] === 'sglang.launch_server') return words.slice(module + 2);
  if (words[0] === 'sglang' && words[1] === 'serve') return words.slice(2);
  return null;
}

function assignment(word: string): [string, string] {
  const equals = word.indexOf('=');
  return [word.slice(0, equals), word.slice(equals + 1)];
}

/** Value of the first of these flags; `null` when none is there. */
export function flagValue(flags: readonly string[], names: readonly string[]): string | null {
  for (const [index, flag] of flags.entries()) {
    const [name = '', inline] = flag.split(/=(.*)/s, 2);
    if (names.includes(name)) return inline ?? flags[index + 1] ?? null;
  }
  return null;
}

/** The same flags with another model. */
export function withModel(flags: readonly string[], model: string): readonly string[] {
  const kept: string[] = [];
  for (let index = 0; index < flags.length; index += 1) {
    const flag = flags[index] ?? '';
    if (MODEL_FLAGS.includes(flag)) index += 1;
    else if (!MODEL_FLAGS.some((name) => flag.startsWith(`${name}=`))) kept.push(flag);
  }
  return ['--model-path', model, ...kept];
}
