import { useState } from 'preact/hooks';
import type { TokenProbability } from '../../../extension/protocol/output-payloads.ts';
import { visibleToken } from '../visible-text.ts';
import { bandOf, BANDS, type GenSegment } from './gen-value.tsx';
import { logPercent } from './numbers.ts';
import { Headings, ScrollingTable } from './table.tsx';

/** Rows drawn before the reader asks for more. */
const SHOWN_TOKENS = 200;

/** The token view for keyboards and screen readers: each token, its probability, what else it could be. */
export function TokenTable({ gen, name }: { readonly gen: GenSegment; readonly name: string }) {
  const [all, setAll] = useState(false);
  const tokens = gen.tokens ?? [];
  const shown = all ? tokens : tokens.slice(0, SHOWN_TOKENS);
  const hasNumbersOnly = tokens.some(({ text }) => text === null);
  return (
    <details class="part">
      <summary>Token probabilities of {name}</summary>
      {hasNumbersOnly ? (
        <p class="note">
          The server gave the numbers of the tokens without their text. Add{' '}
          <code>return_text_in_logprobs=True</code> to the gen to see them here and in its value.
        </p>
      ) : (
        <p class="note">
          In the text:{' '}
          {BANDS.filter(({ style }) => style !== 'sure').map(({ style, words }) => (
            <span key={style}>
              <span class={`token ${style}`}>{words}</span>{' '}
            </span>
          ))}
        </p>
      )}
      <ScrollingTable label={`Token probabilities of ${name}`}>
        <Headings titles={['#', 'token', 'probability', 'alternatives']} />
        <tbody>
          {shown.map((token, index) => (
            <tr key={index}>
              <th scope="row" class="number">
                {index + 1}
              </th>
              <td>
                <TokenName token={token} />
              </td>
              <td class="number">
                {token.logprob === null ? '–' : logPercent(token.logprob)}
                {token.logprob !== null && bandOf(token.logprob).style === 'unlikely' && (
                  <> (unlikely)</>
                )}
              </td>
              <td>
                {token.top.map((other, place) => (
                  <span key={place} class="other">
                    <TokenName token={other} /> {logPercent(other.logprob)}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </ScrollingTable>
      {shown.length < tokens.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show {(tokens.length - shown.length).toLocaleString('en')} more tokens
        </button>
      )}
    </details>
  );
}

function TokenName({ token }: { readonly token: Pick<TokenProbability, 'text' | 'id'> }) {
  if (token.text === null) return <>number {token.id}</>;
  return <code class="piece">{visibleToken(token.text)}</code>;
}
