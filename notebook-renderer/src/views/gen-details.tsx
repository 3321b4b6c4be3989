import type { StateSegment } from '../../../extension/protocol/output-payloads.ts';
import { curlCommand } from '../curl-command.ts';
import type { Host } from '../host.ts';
import { visibleText } from '../visible-text.ts';
import { ChoicesView } from './choices-view.tsx';
import type { GenSegment } from './gen-value.tsx';
import { LongText } from './long-text.tsx';
import { duration, plural } from './numbers.ts';
import { Headings, ScrollingTable } from './table.tsx';
import { TokenTable } from './token-table.tsx';

/** How each value came about: constraint, tokens, times, choices, probabilities, the request. */
export function GenDetails({
  segments,
  host,
}: {
  readonly segments: readonly StateSegment[];
  readonly host: Host;
}) {
  const gens = segments.filter((segment): segment is GenSegment => segment.kind === 'gen');
  if (gens.length === 0) return null;
  return (
    <details class="details">
      <summary>
        {plural(gens.length, 'generation', 'generations')}
        {totals(gens)}
      </summary>
      <Timings gens={gens} />
      {gens.map((gen, index) => (
        <GenParts key={index} gen={gen} host={host} />
      ))}
    </details>
  );
}

function GenParts({ gen, host }: { readonly gen: GenSegment; readonly host: Host }) {
  const name = nameOf(gen);
  return (
    <>
      {gen.choices !== null && <ChoicesView gen={gen} name={name} />}
      {gen.tokens !== null && <TokenTable gen={gen} name={name} />}
      {gen.request !== null && <Request request={gen.request} name={name} host={host} />}
    </>
  );
}

function nameOf(gen: GenSegment): string {
  return visibleText(gen.name ?? '(unnamed)');
}

function totals(gens: readonly GenSegment[]): string {
  const tokens = gens.reduce((sum, gen) => sum + (gen.timing?.completionTokens ?? 0), 0);
  const milliseconds = gens.reduce((sum, gen) => sum + (gen.timing?.milliseconds ?? 0), 0);
  if (milliseconds === 0) return '';
  return ` · ${plural(tokens, 'token', 'tokens')} · ${(milliseconds / 1000).toFixed(2)} s`;
}

function Timings({ gens }: { readonly gens: readonly GenSegment[] }) {
  const hasServerTimes = gens.some(
    ({ timing }) =>
      timing?.queueMilliseconds !== undefined || timing?.prefillMilliseconds !== undefined,
  );
  return (
    <ScrollingTable label="Tokens and times">
      <Headings
        titles={[
          'variable',
          'constraint',
          'prompt tokens',
          'cached',
          'new tokens',
          ...(hasServerTimes ? ['queue', 'prefill'] : []),
          'first token',
          'total',
          'tok/s',
        ]}
      />
      <tbody>
        {gens.map((gen, index) => (
          <TimingRow key={index} gen={gen} hasServerTimes={hasServerTimes} />
        ))}
      </tbody>
    </ScrollingTable>
  );
}

function TimingRow({
  gen,
  hasServerTimes,
}: {
  readonly gen: GenSegment;
  readonly hasServerTimes: boolean;
}) {
  const timing = gen.timing;
  const rate =
    timing?.completionTokens && timing.milliseconds > 0
      ? ((timing.completionTokens * 1000) / timing.milliseconds).toFixed(0)
      : '–';
  const cells = [
    timing?.promptTokens ?? '–',
    timing?.cachedTokens ?? '–',
    timing?.completionTokens ?? '–',
    ...(hasServerTimes
      ? [duration(timing?.queueMilliseconds), duration(timing?.prefillMilliseconds)]
      : []),
    duration(timing?.firstTokenMilliseconds),
    duration(timing?.milliseconds),
    rate,
  ];
  return (
    <tr>
      <th scope="row">{nameOf(gen)}</th>
      <td class={gen.constraint === null ? '' : 'constraint'}>
        {visibleText(gen.constraint ?? 'none')}
      </td>
      {cells.map((cell, index) => (
        <td key={index} class="number">
          {cell}
        </td>
      ))}
    </tr>
  );
}

function Request({
  request,
  name,
  host,
}: {
  readonly request: NonNullable<GenSegment['request']>;
  readonly name: string;
  readonly host: Host;
}) {
  const command = curlCommand(request);
  return (
    <details class="part">
      <summary>Request of {name} as curl</summary>
      <button type="button" onClick={() => host.copy(command)}>
        Copy the command
      </button>
      <pre class="request" role="group" aria-label={`Request of ${name}`} tabIndex={0}>
        <LongText text={command} />
      </pre>
    </details>
  );
}
