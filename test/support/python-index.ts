/** A package index on loopback, with wheels that the test describes: PEP 503 paths, PEP 691 JSON. */
import { createHash } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** `py3-none-any` for pure Python, the default. */
  readonly tags?: string;
  readonly requires?: readonly string[];
  /** Text of the module that has the package's name. */
  readonly module?: string;
  /** The index tells another checksum than the file has. */
  readonly damaged?: boolean;
  /** The wheel itself, of a package that the test does not make up. */
  readonly bytes?: Buffer;
}

export class PythonIndex {
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #wheels: readonly Wheel[];
  readonly #stalled = new Set<ServerResponse>();

  private constructor(wheels: readonly Wheel[]) {
    this.#wheels = wheels;
    this.#server = createServer((request, response) => this.#answer(request.url ?? '', response));
  }

  static async start(wheels: readonly Wheel[]): Promise<PythonIndex> {
    const index = new PythonIndex(wheels);
    await new Promise<void>((resolve) => index.#server.listen(0, '127.0.0.1', resolve));
    return index;
  }

  /** Without a slash at its end, as people write it. */
  get url(): string {
    // SAFETY: it listens on a port.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/simple`;
  }

  close(): Promise<void> {
    for (const response of this.#stalled) response.destroy();
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** The package `stalls` is never answered. */
  #answer(path: string, response: ServerResponse): void {
    this.requests.push(path);
    const name = /^\/simple\/([^/]+)\/$/.exec(path)?.[1];
    if (name === 'stalls') return void this.#stalled.add(response);
    const found = this.#wheels.filter((wheel) => wheel.name.replaceAll('_', '-') === name);
    const file = this.#wheels.find((wheel) => path === `/files/${fileName(wheel)}`);
    if (file !== undefined) return void response.end(wheelBytes(file));
    if (found.length === 0) return void response.writeHead(404).end('no such package');
    response.setHeader('content-type', 'application/vnd.pypi.simple.v1+json');
    response.end(JSON.stringify(project(name ?? '', found)));
  }
}

function project(name: string, wheels: readonly Wheel[]): object {
  const sha256 = (wheel: Wheel): string =>
    createHash('sha256')
      .update(wheelBytes(wheel))
      .update(wheel.damaged === true ? 'x' : '')
      .digest('hex');
  return {
    meta: { 'api-version': '1.0' },
    name,
    files: wheels.map((wheel) => ({
      filename: fileName(wheel),
      url: `../../files/${fileName(wheel)}`,
      hashes: { sha256: sha256(wheel) },
    })),
  };
}

function fileName({ name, version, tags = 'py3-none-any' }: Wheel): string {
  return `${name}-${version}-${tags}.whl`;
}

export function wheelBytes({
  name,
  version,
  tags,
  requires = [],
  module = '',
  bytes,
}: Wheel): Buffer {
  if (bytes !== undefined) return bytes;
  const info = `${name}-${version}.dist-info`;
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...requires.map((each) => `Requires-Dist: ${each}`),
  ];
  return zipOf({
    [`${name}.py`]: module,
    [`${info}/METADATA`]: `${metadata.join('\n')}\n`,
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: ${tags ?? 'py3-none-any'}\n`,
    [`${info}/RECORD`]: `${name}.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
}

/** A ZIP archive whose files are stored as they are. */
function zipOf(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const [path, data] = [Buffer.from(name), Buffer.from(text)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(33, 8); // 1 January 1980
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, place, path);
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, data]);
    parts.push(entry);
    offset += entry.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
