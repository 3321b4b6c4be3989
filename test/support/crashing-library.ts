/** A folder with llama.cpp's libraries, one of which ends the process that loads it. Linux only. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** ELF: program header of the dynamic section, and the entry with the initialiser's address. */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_INIT = 12n;

/** Copies the libraries and breaks the initialiser of `libggml-base.so`, which the others need. */
export function makeCrashingLibrary(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(source).filter((each) => /^lib(llama|ggml)\./.test(each))) {
    copyFileSync(join(source, name), join(target, name));
  }
  const elf = readFileSync(join(source, 'libggml-base.so'));
  // `ud2` on x64; an undefined instruction on arm64: SIGILL either way.
  const trap = process.arch === 'x64' ? Buffer.from([0x0f, 0x0b]) : Buffer.alloc(4);
  trap.copy(elf, initialiser(elf));
  writeFileSync(join(target, 'libggml-base.so'), elf);
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly size: bigint;
}

/** File offset of the code that the dynamic linker calls at load. */
function initialiser(elf: Buffer): number {
  const start = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  const segments = Array.from({ length: count }, (_, index): Segment => {
    const at = start + index * size;
    return {
      type: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 8)),
      address: elf.readBigUInt64LE(at + 16),
      size: elf.readBigUInt64LE(at + 32),
    };
  });
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  for (let at = dynamic?.offset ?? elf.length; at + 16 <= elf.length; at += 16) {
    if (elf.readBigInt64LE(at) !== DT_INIT) continue;
    const address = elf.readBigUInt64LE(at + 8);
    const segment = segments.find(
      (each) =>
        each.type === PT_LOAD && address >= each.address && address < each.address + each.size,
    );
    if (segment) return segment.offset + Number(address - segment.address);
  }
  throw new Error('the library has no initialiser');
}
