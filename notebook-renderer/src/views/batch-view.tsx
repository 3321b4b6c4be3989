import { useState } from 'preact/hooks';
import type { BatchPayload, BatchRow } from '../../../extension/protocol/output-payloads.ts';
import { batchCsv, columnNames } from '../csv.ts';
import type { Host } from '../host.ts';
import { visibleText } from '../visible-text.ts';
import { Announcement } from './announcement.tsx';

/** Rows drawn before the reader asks for more. */
const SHOWN_ROWS = 100;

/** Progress of a batch and its rows so far: arguments, generated values, errors with their cause. */
export function BatchView({
  payload,
  host,
}: {
  readonly payload: BatchPayload;
  readonly host: Host;
}) {
  const { finished, failed, total, rows = [] } = payload;
  const name = visibleText(payload.program ?? 'Batch');
  const label = `${name}: ${finished} of ${total} finished${failed > 0 ? `, ${failed} failed` : ''}`;
  return (
    <div role="group" aria-label={`Batch of ${name}`} aria-busy={finished < total}>
      <p class="batch">
        <progress value={finished} max={Math.max(1, total)} aria-label={`Progress of ${name}`} />
        <span>{label}</span>
        {rows.length > 0 && (
          <button type="button" onClick={() => host.copy(batchCsv(rows))}>
            Copy as CSV
          </button>
        )}
        {failed > 0 && host.retry !== null && (
          <button type="button" onClick={host.retry}>
            Run the cell again
          </button>
        )}
      </p>
      {rows.length > 0 && <Rows rows={rows} finished={finished} name={name} />}
      <Announcement running={finished < total} outcome={label} />
    </div>
  );
}

type Value = (row: BatchRow) => string | number;

interface Column {
  readonly title: string;
  readonly kind: 'number' | 'argument' | 'value' | 'cause' | 'time';
  readonly value: Value;
}

interface Order {
  readonly column: number;
  readonly direction: 1 | -1;
}

const errorColumn: Column = { title: 'error', kind: 'cause', value: (row) => row.error ?? '' };

function columnsOf(rows: readonly BatchRow[]): Column[] {
  const given = columnNames(rows.map((row) => row.arguments));
  const made = columnNames(rows.map((row) => row.values));
  return [
    { title: '#', kind: 'number', value: (row) => row.index + 1 },
    ...given.map((name): Column => ({
      title: name,
      kind: 'argument',
      value: (row) => row.arguments[name] ?? '',
    })),
    ...made.map((name): Column => ({
      title: name,
      kind: 'value',
      value: (row) => row.values[name] ?? '',
    })),
    ...(rows.some((row) => row.error !== null) ? [errorColumn] : []),
    { title: 'ms', kind: 'time', value: (row) => row.milliseconds },
  ];
}

function Rows({
  rows,
  finished,
  name,
}: {
  readonly rows: readonly BatchRow[];
  readonly finished: number;
  readonly name: string;
}) {
  const [order, setOrder] = useState<Order>({ column: 0, direction: 1 });
  const [all, setAll] = useState(false);
  const columns = columnsOf(rows);
  const sorted = sortRows(rows, columns[order.column]?.value, order.direction);
  const shown = all ? sorted : sorted.slice(0, SHOWN_ROWS);
  const sortBy = (column: number): void =>
    setOrder({ column, direction: column === order.column && order.direction === 1 ? -1 : 1 });
  return (
    <>
      <div class="scroll rows" role="group" aria-label={`Rows of ${name}`} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <th key={index} scope="col" aria-sort={sorting(order, index)}>
                  <button type="button" class="heading" onClick={() => sortBy(index)}>
                    {visibleText(column.title)}
                    {order.column === index && (
                      <span aria-hidden="true">{order.direction === 1 ? ' ▲' : ' ▼'}</span>
                    )}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <Row key={row.index} row={row} columns={columns} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show {(rows.length - shown.length).toLocaleString()} more rows
        </button>
      )}
      {rows.length < finished && (
        <p class="status">Only the first {rows.length.toLocaleString()} rows are kept here.</p>
      )}
    </>
  );
}

function Row({ row, columns }: { readonly row: BatchRow; readonly columns: readonly Column[] }) {
  return (
    <tr class={row.error === null ? '' : 'failed'}>
      {columns.map((column, index) => {
        const text = visibleText(String(column.value(row)));
        if (column.kind === 'number') {
          return (
            <th key={index} scope="row" class="number">
              {text}
            </th>
          );
        }
        return (
          <td key={index} class={column.kind}>
            {column.kind === 'cause' && text !== '' && (
              <>
                <span class="tag">Error</span>{' '}
              </>
            )}
            {text}
          </td>
        );
      })}
    </tr>
  );
}

function sorting(order: Order, column: number): 'ascending' | 'descending' | 'none' {
  if (order.column !== column) return 'none';
  return order.direction === 1 ? 'ascending' : 'descending';
}

function sortRows(
  rows: readonly BatchRow[],
  value: Value | undefined,
  direction: 1 | -1,
): readonly BatchRow[] {
  if (!value) return rows;
  return rows.toSorted((left, right) => direction * compare(value(left), value(right)));
}

/** Numbers by size, also those written as text; everything else as text. */
function compare(left: string | number, right: string | number): number {
  const [a, b] = [Number(left), Number(right)];
  if (left !== '' && right !== '' && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return String(left).localeCompare(String(right));
}
