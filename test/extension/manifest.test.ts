import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rules } from '../../language-server/src/features/rules.ts';
import { COMMANDS } from '../../extension/src/commands/command-ids.ts';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../extension/src/notebook/notebook-type.ts';
import { TOOLS } from '../../extension/src/tools/tool-names.ts';
import * as payloads from '../../extension/protocol/output-payloads.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

interface Manifest {
  readonly icon: string;
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly languageModelTools: readonly {
      readonly name: string;
      readonly toolReferenceName: string;
      readonly canBeReferencedInPrompt: boolean;
      readonly when: string;
    }[];
    readonly configuration: readonly { readonly properties: Readonly<Record<string, unknown>> }[];
    readonly notebooks: readonly { readonly type: string }[];
    readonly languages: readonly {
      readonly id: string;
      readonly configuration?: string;
      readonly icon: { readonly light: string; readonly dark: string };
    }[];
    readonly snippets: readonly { readonly path: string }[];
    readonly grammars: readonly { readonly path: string }[];
    readonly notebookRenderer: readonly { readonly mimeTypes: readonly string[] }[];
    readonly walkthroughs: readonly {
      readonly steps: readonly { readonly media: { readonly markdown: string } }[];
    }[];
  };
}

interface Setting {
  readonly description?: string;
  readonly markdownDescription?: string;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly markdownEnumDescriptions?: readonly string[];
  readonly additionalProperties?: Pick<
    Setting,
    'enum' | 'enumDescriptions' | 'markdownEnumDescriptions'
  >;
}

describe('manifest', () => {
  const manifest: Manifest = JSON.parse(read('package.json'));
  const { contributes } = manifest;

  it('declares exactly the commands that are registered', () => {
    expect(contributes.commands.map(({ command }) => command).toSorted()).toEqual(
      Object.values(COMMANDS).toSorted(),
    );
  });

  it('declares exactly the tools that are registered; those that run something in trusted folders', () => {
    const tools = contributes.languageModelTools;
    expect(tools.map(({ name }) => name)).toEqual(Object.values(TOOLS));
    expect(tools.filter(({ canBeReferencedInPrompt }) => !canBeReferencedInPrompt)).toEqual([]);
    const running = tools.filter(({ when }) => when.includes('isWorkspaceTrusted'));
    expect(running.map(({ name }) => name)).toEqual([TOOLS.runCell, TOOLS.runProgram]);
  });

  it('names the notebook type, the cell language and the payload types of the code', () => {
    expect(contributes.notebooks.map(({ type }) => type)).toEqual([NOTEBOOK_TYPE]);
    expect(contributes.languages.map(({ id }) => id)).toEqual([CELL_LANGUAGE, 'sglang-prompt']);
    const mimes = Object.entries(payloads).flatMap(([name, value]) =>
      name.endsWith('_MIME') ? [value] : [],
    );
    expect(contributes.notebookRenderer[0]?.mimeTypes.toSorted()).toEqual(mimes.toSorted());
  });

  it('declares exactly the settings that the code reads', () => {
    const declared = Object.assign({}, ...contributes.configuration.map((part) => part.properties));
    const source = read('extension/src/settings.ts');
    const found = [...source.matchAll(/\b(?:text|truth|number)\(\s*'([^']+)'/g)];
    const used = found.map(([, key]) => `sglang.${key}`);
    // The language server asks for its own.
    const server = [
      ...read('language-server/src/server.ts').matchAll(/getConfiguration\(\s*'([^']+)'/g),
    ].map(([, key]) => String(key));
    expect(Object.keys(declared).toSorted()).toEqual([...new Set([...used, ...server])].toSorted());
  });

  it('offers a severity for every rule of the language server', () => {
    const declared = Object.assign({}, ...contributes.configuration.map((part) => part.properties));
    expect(declared['sglang.diagnostics.severity'].propertyNames.enum).toEqual([...rules.keys()]);
  });

  it('explains every setting in Markdown, and every value of one that has a list of them', () => {
    const declared: Record<string, Setting> = Object.assign(
      {},
      ...contributes.configuration.map((part) => part.properties),
    );
    const settings = Object.entries(declared);
    const isBare = ({ markdownDescription, description }: Setting): boolean =>
      markdownDescription === undefined || description !== undefined;
    expect(settings.filter(([, setting]) => isBare(setting)).map(([key]) => key)).toEqual([]);
    const lists = settings.flatMap(([key, setting]) =>
      [setting, setting.additionalProperties ?? {}].map((list) => ({ key, ...list })),
    );
    const unexplained = lists.filter(
      ({ enum: values, enumDescriptions, markdownEnumDescriptions }) =>
        values && (markdownEnumDescriptions ?? enumDescriptions)?.length !== values.length,
    );
    expect(unexplained.map(({ key }) => key)).toEqual([]);
  });

  it('points at files that exist', () => {
    const files = [
      manifest.icon,
      ...contributes.languages.flatMap(({ configuration, icon }) => [
        ...(configuration === undefined ? [] : [configuration]),
        icon.light,
        icon.dark,
      ]),
      ...contributes.grammars.map((grammar) => grammar.path),
      ...contributes.snippets.map((snippets) => snippets.path),
      ...contributes.walkthroughs.flatMap(({ steps }) => steps.map((step) => step.media.markdown)),
    ];
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('has an icon as the Marketplace wants it: a PNG of 128 pixels or more', () => {
    const png = readFileSync(join(root, manifest.icon));
    expect(png.toString('latin1', 1, 4)).toBe('PNG');
    expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(128);
    expect(png.readUInt32BE(20)).toBe(png.readUInt32BE(16));
  });

  it('has every text it refers to, and no other', () => {
    const used = new Set(
      [...read('package.json').matchAll(/"%([^%]+)%"/g)].map((match) => match[1]),
    );
    const texts: Record<string, string> = JSON.parse(read('package.nls.json'));
    expect(new Set(Object.keys(texts))).toEqual(used);
  });

  it('starts everything on the Node that npm installs: a machine may have an older one', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'));
    const setup = read('extension/build/setup.mjs');
    for (const [name, command] of Object.entries(scripts)) {
      if (name === 'build' || name === 'watch') continue;
      const [, target = ''] = /^node extension\/build\/setup\.mjs ([\w:-]+)/.exec(command) ?? [];
      expect([name, setup]).toEqual([
        name,
        expect.stringMatching(new RegExp(`\n {2}'?${target}'?: \\{`)),
      ]);
    }
  });
});
