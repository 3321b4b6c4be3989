/**
 * Ends the kernel's child processes when the kernel itself is killed without a chance to do so: a tiny
 * shell that holds the read end of a pipe. It is told which process groups exist; when the pipe ends, it
 * kills those that are left. POSIX only: on Windows a killed kernel leaves its children running.
 */
import { spawn, type ChildProcess } from 'node:child_process';

const SCRIPT = `
trap '' INT TERM HUP
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) rest=' '
       for each in $groups; do [ "$each" = "$group" ] || rest="$rest$each "; done
       groups=$rest ;;
  esac
done
for each in $groups; do kill -9 "-$each"; done 2>/dev/null
`;

export class Reaper {
  #shell: ChildProcess | null = null;

  /** `group`: pid of a process that leads its own group. */
  add(group: number): void {
    this.#tell('+', group);
  }

  remove(group: number): void {
    this.#tell('-', group);
  }

  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = null;
  }

  #tell(sign: '+' | '-', group: number): void {
    if (process.platform === 'win32') return;
    this.#shell ??= startShell();
    this.#shell.stdin?.write(`${sign} ${group}\n`);
  }
}

function startShell(): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without /bin/sh there is no reaper; everything else works.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  return shell;
}
