import { parser as lezer } from '@lezer/python';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from '../../../language-server/src/syntax/parser.ts';
import { walkBlock } from '../../../language-server/src/syntax/walk.ts';
import { samplePrograms } from '../support/sample-programs.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Calls, definitions and subscripts by place, from another parser. */
function lezerShapes(text: string): string[] {
  const shapes: string[] = [];
  const kinds: Record<string, string> = {
    CallExpression: 'Call',
    FunctionDefinition: 'FunctionDef',
    ClassDefinition: 'ClassDef',
  };
  lezer.parse(text).iterate({
    enter(node) {
      const kind = kinds[node.name];
      if (kind === 'Call') shapes.push(`Call ${node.from}-${node.to}`);
      else if (node.name === 'Decorator') {
        // A decorator with arguments is no call expression there.
        const args = node.node.getChild('ArgList');
        if (args) shapes.push(`Call ${node.node.getChild('VariableName')?.from}-${args.to}`);
      } else if (kind) shapes.push(`${kind} ${node.node.getChild('VariableName')?.from}`);
    },
  });
  return shapes.sort();
}

function ourShapes(text: string): string[] {
  const shapes: string[] = [];
  walkBlock(parse(text).body, {
    statement: (node) => {
      if (node.kind === 'FunctionDef' || node.kind === 'ClassDef')
        shapes.push(`${node.kind} ${node.name.start}`);
    },
    expression: (node) => {
      if (node.kind === 'Call') shapes.push(`Call ${node.start}-${node.end}`);
    },
  });
  return shapes.sort();
}

/** The other parser does not look into f-strings, so they are kept out of the comparison. */
const withoutTemplates = (text: string) =>
  text.replaceAll(/\bf"/g, '"').replaceAll(/^!.*$/gm, '').replaceAll('[T]:', ':');

describe('against @lezer/python', () => {
  samplePrograms.forEach((program, i) =>
    it(`finds the same calls and definitions in sample ${i}`, () => {
      const text = withoutTemplates(program);
      expect(ourShapes(text)).toEqual(lezerShapes(text));
      expect(ourShapes(text).length).toBeGreaterThan(5);
    }),
  );
});

describe('type stubs of the Python standard library', () => {
  const folder = join(root, 'node_modules/basedpyright/dist/typeshed-fallback/stdlib');
  it('parse without errors and like the other parser', (ctx) => {
    if (!existsSync(folder)) ctx.skip('the basedpyright package is not installed');
    const files = readdirSync(folder)
      .filter((file) => file.endsWith('.pyi'))
      .slice(0, 120);
    expect(files.length).toBeGreaterThan(50);
    const broken = files.flatMap((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      const { errors } = parse(text);
      return errors.length > 0 ? [`${file}: ${errors[0]?.message} at ${errors[0]?.start}`] : [];
    });
    expect(broken).toEqual([]);
    const different = files.filter((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return /^(class|def) .*\[/m.test(text)
        ? false
        : ourShapes(text).join() !== lezerShapes(text).join();
    });
    expect(different).toEqual([]);
  });
});
