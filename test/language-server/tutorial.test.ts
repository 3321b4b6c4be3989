import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkPaths, hasFailures } from '../../language-server/src/check.ts';
import { diagnose } from '../../language-server/src/features/diagnostics.ts';
import { formatType } from '../../language-server/src/semantics/gen-type.ts';
import { analyze } from './support/check.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const tutorial = join(root, '..', 'shared', 'tutorial', 'cells.json');

interface TutorialFile {
  readonly cells: readonly { readonly kind: string; readonly text: string }[];
}

describe('the SGLang frontend tutorial', () => {
  it('has no false positive, and every read its exact type', (ctx) => {
    if (!existsSync(tutorial))
      ctx.skip('the tutorial is not beside the project (../shared/tutorial)');
    const file: TutorialFile = JSON.parse(readFileSync(tutorial, 'utf8'));
    const analysis = analyze(
      ...file.cells.filter((cell) => cell.kind === 'code').map((cell) => cell.text),
    );
    // The tutorial reads what one branch of its control flow made; the other branch would raise.
    expect(
      diagnose(analysis).map(
        ({ code, severity, message }) => `${severity} ${code} ${message.split(':')[0]}`,
      ),
    ).toEqual([
      'information maybe-unset "technical_response" is set only when type is "a technical query"',
      'information maybe-unset "creative_response" is set only when type is "a creative request"',
    ]);
    const reads = analysis.facts.reads.map(
      (read) => `${read.program}.${read.name}: ${formatType(read.type)}`,
    );
    expect(reads.toSorted()).toEqual([
      'control_flow.creative_response: str',
      'control_flow.technical_response: str',
      "control_flow.type: Literal['a technical query', 'a creative request']",
      'generate_character.character: str',
      'image_qa.answer: str',
      'multi_turn_conversation.building: str',
      'multi_turn_conversation.capital: str',
      'parallel_sample.answer: list[str]',
      'regular_expression_gen.answer: str',
      'roles.story: str',
      'simple_qa.answer: str',
    ]);
  });
});

describe("the project's own examples", () => {
  it('have no finding', (ctx) => {
    const folder = join(root, 'extension', 'examples');
    if (!existsSync(folder)) ctx.skip('there are no examples in this checkout');
    const report = checkPaths([folder], { cwd: root });
    expect(report.files).toBeGreaterThan(0);
    expect(report.findings.filter((finding) => finding.severity !== 'hint')).toEqual([]);
    expect(hasFailures(report)).toBe(false);
  });
});
