/**
 * Whether a launch can run the real SGLang: the Python that the command names has it, and this machine
 * has a GPU with its driver. Without both, the bundled runtime takes the launch.
 */
import { execFile } from 'node:child_process';

export interface InstalledSglang {
  /** Version of the package; `unknown` when it does not say. */
  readonly version: string;
  /** What the GPU's driver calls it. */
  readonly gpu: string;
}

export interface LaunchContext {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Variable that overrides the choice: `bundled` or `sglang`; anything else decides by what is here. */
const CHOICE = 'SGLNB_SERVER';
/** Milliseconds; starting Python on a slow disk takes seconds. */
const PATIENCE = 15_000;

/**
 * Finds the package without importing it, which would take seconds and fill the GPU: its folder must
 * hold the program that the command runs. The kernel's own package of that name has none.
 */
const LOOK = `
import importlib.util, os
spec = importlib.util.find_spec("sglang")
for folder in (spec.submodule_search_locations if spec else None) or []:
    if os.path.exists(os.path.join(folder, "launch_server.py")):
        try:
            from importlib.metadata import version
            print("sglang", version("sglang"))
        except Exception:
            print("sglang", "unknown")
        break
`;

/** Tools of the drivers that name their GPUs, and the lines that do. */
const GPU_TOOLS = [
  { command: 'nvidia-smi', args: ['-L'], line: /^GPU \d+: (.*?)( \(UUID|$)/m },
  { command: 'rocm-smi', args: ['--showproductname'], line: /Card [Ss]eries:\s*(.+)$/m },
] as const;

/**
 * @param program words of the command before `-m`, such as `python3`; none means `python3`
 * @returns `null` when the bundled runtime is to be used
 */
export async function findInstalledSglang(
  program: readonly string[],
  context: LaunchContext,
): Promise<InstalledSglang | null> {
  const choice = context.environment[CHOICE];
  if (choice === 'bundled') return null;
  const gpu = await findGpu(context);
  if (choice === 'sglang') return { version: 'unknown', gpu: gpu ?? 'no GPU with a driver' };
  if (gpu === null) return null;
  const [python = 'python3', ...before] = program;
  const found = await output(python, [...before, '-c', LOOK], context);
  const version = /^sglang (\S+)$/m.exec(found)?.[1];
  return version === undefined ? null : { version, gpu };
}

async function findGpu(context: LaunchContext): Promise<string | null> {
  for (const { command, args, line } of GPU_TOOLS) {
    const name = line.exec(await output(command, args, context))?.[1];
    if (name !== undefined) return name.trim();
  }
  return null;
}

/** What it printed; empty when there is no such program or it failed. */
function output(
  command: string,
  args: readonly string[],
  { cwd, environment }: LaunchContext,
): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      command,
      [...args],
      { cwd, env: { ...environment }, timeout: PATIENCE, windowsHide: true },
      (error, stdout) => resolve(error === null ? stdout : ''),
    );
  });
}
