import type {
  ChoiceScore,
  ChoicesMethod,
  ChoiceToken,
} from '../../../extension/protocol/output-payloads.ts';
import { visibleText, visibleToken } from '../visible-text.ts';
import type { GenSegment } from './gen-value.tsx';
import { logPercent, percent } from './numbers.ts';
import { Headings, ScrollingTable } from './table.tsx';

const METHODS: Readonly<Record<ChoicesMethod, string>> = {
  token_length_normalized: 'the highest mean log probability',
  greedy_token_selection: 'the likeliest token at each step',
  unconditional_likelihood_normalized: 'the highest gain from the prompt',
};

/** Every choice of a select under each way to decide between them, then token by token. */
export function ChoicesView({ gen, name }: { readonly gen: GenSegment; readonly name: string }) {
  const choices = gen.choices ?? [];
  const hasProbability = choices.some(({ probability }) => probability !== undefined);
  const hasGreedy = choices.some(({ greedyLoss }) => greedyLoss !== undefined);
  const hasGain = choices.some(({ gain }) => gain !== undefined);
  const hasTokens = choices.some(({ tokens }) => tokens !== undefined);
  const decidedBy = gen.decidedBy && METHODS[gen.decidedBy];
  const others = otherWinners(gen, choices);
  return (
    <div class="part">
      <p class="title">Choices of {name}</p>
      {decidedBy && (
        <p class="note">
          Decided by {decidedBy} (<code>{gen.decidedBy}</code>).
          {others.map(({ method, text }) => (
            <span key={method}>
              {' '}
              <code>{method}</code> would have chosen “{visibleText(text)}”.
            </span>
          ))}
        </p>
      )}
      <ScrollingTable label={`Choices of ${name}`}>
        <Headings
          titles={[
            'choice',
            ...(hasProbability ? ['probability'] : []),
            'mean log probability',
            ...(hasGain ? ['gain from the prompt'] : []),
            ...(hasGreedy ? ['token by token'] : []),
          ]}
        />
        <tbody>
          {choices.map((choice, index) => (
            <tr key={index} class={choice.chosen ? 'chosen' : ''}>
              <th scope="row">
                {visibleText(choice.text)} {choice.chosen && <span class="tag">chosen</span>}
              </th>
              {hasProbability && <Share probability={choice.probability} />}
              <td class="number">{choice.score.toFixed(3)}</td>
              {hasGain && <td class="number">{choice.gain?.toFixed(3) ?? '–'}</td>}
              {hasGreedy && <td>{greedyText(choice)}</td>}
            </tr>
          ))}
        </tbody>
      </ScrollingTable>
      {hasTokens && <ChoiceTokens choices={choices} name={name} />}
    </div>
  );
}

/** What the other ways to decide would have chosen, where that differs. */
function otherWinners(
  { decidedBy }: GenSegment,
  choices: readonly ChoiceScore[],
): { readonly method: ChoicesMethod; readonly text: string }[] {
  const best = (value: (choice: ChoiceScore) => number | undefined): ChoiceScore | undefined => {
    const known = choices.filter((choice) => value(choice) !== undefined);
    return known.reduce<ChoiceScore | undefined>(
      (found, choice) =>
        found === undefined || (value(choice) ?? 0) > (value(found) ?? 0) ? choice : found,
      undefined,
    );
  };
  const winners: Readonly<Record<ChoicesMethod, ChoiceScore | undefined>> = {
    token_length_normalized: best(({ score }) => score),
    greedy_token_selection: choices.find(({ greedyLoss }) => greedyLoss === null),
    unconditional_likelihood_normalized: best(({ gain }) => gain),
  };
  // SAFETY: the keys are those of the literal above.
  return (Object.keys(winners) as ChoicesMethod[]).flatMap((method) => {
    const winner = winners[method];
    return method === decidedBy || winner === undefined || winner.chosen
      ? []
      : [{ method, text: winner.text }];
  });
}

function greedyText({ greedyLoss }: ChoiceScore): string {
  if (greedyLoss === undefined) return '–';
  return greedyLoss === null ? 'likeliest throughout' : `given up at token ${greedyLoss}`;
}

function Share({ probability }: { readonly probability: number | undefined }) {
  if (probability === undefined) return <td>–</td>;
  return (
    <td class="share">
      <span class="bar" aria-hidden="true">
        <span style={{ inlineSize: `${(probability * 100).toFixed(1)}%` }} />
      </span>
      {percent(probability)}
    </td>
  );
}

function ChoiceTokens({
  choices,
  name,
}: {
  readonly choices: readonly ChoiceScore[];
  readonly name: string;
}) {
  const width = Math.max(...choices.map(({ tokens }) => tokens?.length ?? 0));
  const columns = Array.from({ length: width }, (_, index) => index);
  return (
    <details>
      <summary>Token by token</summary>
      <ScrollingTable label={`Tokens of the choices of ${name}`}>
        <Headings titles={['choice', ...columns.map((column) => `token ${column + 1}`)]} />
        <tbody>
          {choices.map(({ text, tokens }, index) => (
            <tr key={index}>
              <th scope="row">{visibleText(text)}</th>
              {columns.map((column) => (
                <td key={column}>{tokenCell(tokens?.[column])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </ScrollingTable>
    </details>
  );
}

function tokenCell(token: ChoiceToken | undefined) {
  if (token === undefined) return null;
  const { text, logprob, without } = token;
  return (
    <>
      {text !== null && <code class="piece">{visibleToken(text)}</code>} {logPercent(logprob)}
      {typeof without === 'number' && <> (without the prompt {logPercent(without)})</>}
    </>
  );
}
