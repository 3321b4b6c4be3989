import type { StateSegment } from '../../../extension/protocol/output-payloads.ts';
import { curlCommand } from '../curl-command.ts';
import { visibleText } from '../visible-text.ts';
import { percent, type GenSegment } from './gen-value.tsx';

/** How each value came about: constraint, tokens, times, choices, probabilities, the request. */
export function GenDetails({ segments }: { readonly segments: readonly StateSegment[] }) {
  const gens = segments.filter((segment): segment is GenSegment => segment.kind === 'gen');
  if (gens.length === 0) return null;
  const hasServerTimes = gens.some(
    ({ timing }) =>
      timing?.queueMilliseconds !== undefined || timing?.prefillMilliseconds !== undefined,
  );
  return (
    <details class="details">
      <summary>
        {gens.length === 1 ? '1 generation' : `${gens.length} generations`}
        {totals(gens)}
      </summary>
      <table>
        <thead>
          <tr>
            {[
              'variable',
              'constraint',
              'prompt',
              'cached',
              'new',
              ...(hasServerTimes ? ['queue', 'prefill'] : []),
              'first token',
              'total',
              'tok/s',
            ].map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {gens.map((gen, index) => (
            <TimingRow key={index} gen={gen} hasServerTimes={hasServerTimes} />
          ))}
        </tbody>
      </table>
      {gens.map((gen, index) => (
        <div key={index}>
          {gen.choices !== null && <Choices gen={gen} />}
          {gen.tokens !== null && <TokenTable gen={gen} />}
          {gen.request !== null && <Request request={gen.request} />}
        </div>
      ))}
    </details>
  );
}

function totals(gens: readonly GenSegment[]): string {
  const tokens = gens.reduce((sum, gen) => sum + (gen.timing?.completionTokens ?? 0), 0);
  const milliseconds = gens.reduce((sum, gen) => sum + (gen.timing?.milliseconds ?? 0), 0);
  if (milliseconds === 0) return '';
  return ` · ${tokens} tokens · ${(milliseconds / 1000).toFixed(2)} s`;
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
    gen.constraint ?? 'free',
    timing?.promptTokens ?? '–',
    timing?.cachedTokens ?? '–',
    timing?.completionTokens ?? '–',
    ...(hasServerTimes
      ? [duration(timing?.queueMilliseconds ?? null), duration(timing?.prefillMilliseconds ?? null)]
      : []),
    duration(timing?.firstTokenMilliseconds ?? null),
    duration(timing?.milliseconds ?? null),
    rate,
  ];
  return (
    <tr>
      <th scope="row">{visibleText(gen.name ?? '(unnamed)')}</th>
      {cells.map((cell, index) => (
        <td key={index}>{typeof cell === 'string' ? visibleText(cell) : cell}</td>
      ))}
    </tr>
  );
}

function duration(milliseconds: number | null): string {
  return milliseconds === null ? '–' : `${milliseconds.toFixed(0)} ms`;
}

function Choices({ gen }: { readonly gen: GenSegment }) {
  return (
    <table>
      <caption>Choices of {visibleText(gen.name ?? '(unnamed)')}</caption>
      <thead>
        <tr>
          <th scope="col">choice</th>
          <th scope="col">mean log probability</th>
          <th scope="col">chosen</th>
        </tr>
      </thead>
      <tbody>
        {(gen.choices ?? []).map((choice, index) => (
          <tr key={index}>
            <th scope="row">{visibleText(choice.text)}</th>
            <td>{choice.score.toFixed(3)}</td>
            <td>{choice.chosen ? 'yes' : ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TokenTable({ gen }: { readonly gen: GenSegment }) {
  return (
    <details>
      <summary>Token probabilities of {visibleText(gen.name ?? '(unnamed)')}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">token</th>
            <th scope="col">probability</th>
            <th scope="col">alternatives</th>
          </tr>
        </thead>
        <tbody>
          {(gen.tokens ?? []).slice(0, 500).map((token, index) => (
            <tr key={index}>
              <th scope="row">
                <code>{visibleText(token.text)}</code>
              </th>
              <td>{token.logprob === null ? '–' : percent(Math.exp(token.logprob))}</td>
              <td>
                {token.top
                  .map((other) => `${visibleText(other.text)} ${percent(Math.exp(other.logprob))}`)
                  .join(', ')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Request({ request }: { readonly request: NonNullable<GenSegment['request']> }) {
  return (
    <details>
      <summary>Request</summary>
      <pre class="request">{visibleText(curlCommand(request))}</pre>
    </details>
  );
}
