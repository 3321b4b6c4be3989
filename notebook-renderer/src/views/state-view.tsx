import { Fragment } from 'preact';
import type { StatePayload, StateSegment } from '../../../extension/protocol/output-payloads.ts';
import type { Host } from '../host.ts';
import { Announcement } from './announcement.tsx';
import { Votes } from './fork-votes.tsx';
import { GenDetails } from './gen-details.tsx';
import { GenValue } from './gen-value.tsx';
import { LongText } from './long-text.tsx';
import { visibleText } from '../visible-text.ts';

/**
 * A program state as the conversation it is, generated values marked. Forks stand side by side where
 * they branch off, so that what they share is shown once.
 */
export function StateView({
  payload,
  host,
}: {
  readonly payload: StatePayload;
  readonly host: Host;
}) {
  const name = visibleText(payload.program ?? 'Program');
  const { running, error } = payload;
  return (
    <div class="state" role="group" aria-label={`State of ${name}`} aria-busy={running}>
      <StateBody payload={payload} host={host} />
      <Announcement
        running={running}
        outcome={error === null ? `${name} has finished` : `${name} failed: ${visibleText(error)}`}
      />
    </div>
  );
}

/** Of a state or of a fork. */
function StateBody({ payload, host }: { readonly payload: StatePayload; readonly host: Host }) {
  return (
    <>
      {stretches(payload).map(({ segments, forks }, index) => (
        <Fragment key={index}>
          <Conversation segments={segments} />
          {forks.length > 0 && <Forks forks={forks} host={host} />}
        </Fragment>
      ))}
      {payload.running && <p class="status">Generating…</p>}
      {payload.error !== null && (
        <div class="error">
          <p>
            <span class="tag">Error</span> <LongText text={payload.error} />
          </p>
          {host.retry !== null && (
            <button type="button" onClick={host.retry}>
              Run the cell again
            </button>
          )}
        </div>
      )}
      <GenDetails segments={payload.segments} host={host} />
    </>
  );
}

interface Stretch {
  readonly segments: readonly StateSegment[];
  /** Forks that branch off behind the segments. */
  readonly forks: readonly StatePayload[];
}

/** The state's segments, cut where forks branch off. */
function stretches({ segments, forks }: StatePayload): Stretch[] {
  const position = (fork: StatePayload): number => fork.after ?? segments.length;
  const cuts = [...new Set([...forks.map(position), segments.length])].toSorted((a, b) => a - b);
  return cuts.map((cut, index) => ({
    segments: segments.slice(cuts[index - 1] ?? 0, cut),
    forks: forks.filter((fork) => position(fork) === cut),
  }));
}

interface Turn {
  readonly role: string | null;
  readonly segments: StateSegment[];
}

/** Neighbouring segments of one role are one turn. */
function turnsOf(segments: readonly StateSegment[]): Turn[] {
  const turns: Turn[] = [];
  for (const segment of segments) {
    const last = turns.at(-1);
    if (last && last.role === segment.role) last.segments.push(segment);
    else turns.push({ role: segment.role, segments: [segment] });
  }
  return turns.filter((turn) => turn.role !== null || turn.segments.some(hasContent));
}

function hasContent(segment: StateSegment): boolean {
  return segment.kind !== 'text' || segment.text.trim() !== '';
}

function Conversation({ segments }: { readonly segments: readonly StateSegment[] }) {
  return (
    <div class="conversation">
      {turnsOf(segments).map((turn, index) => (
        <div key={index} class={`turn role-${turn.role ?? 'none'}`}>
          {turn.role !== null && <div class="role">{turn.role}</div>}
          <div class="content">
            {turn.segments.map((segment, position) => (
              <Segment key={position} segment={segment} />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

function Segment({ segment }: { readonly segment: StateSegment }) {
  switch (segment.kind) {
    case 'text':
      return (
        <span class="constant">
          <LongText text={segment.text} />
        </span>
      );
    case 'image':
      if (segment.omittedBytes !== undefined) {
        return <span class="constant">{omittedImage(segment.mime, segment.omittedBytes)}</span>;
      }
      return (
        <img
          src={`data:${safeImageType(segment.mime)};base64,${segment.base64}`}
          alt="Image in the prompt"
        />
      );
    case 'gen':
      return <GenValue gen={segment} />;
    default:
      segment satisfies never;
      return null;
  }
}

function omittedImage(mime: string, bytes: number): string {
  return `[${mime}, ${(bytes / 2 ** 20).toFixed(1)} MiB: too large to be shown here]`;
}

/** Only raster types reach an `img`: an SVG could carry links and scripts. */
function safeImageType(mime: string): string {
  return /^image\/(png|jpeg|gif|webp|bmp)$/.test(mime) ? mime : 'image/png';
}

/** Nested forks are parts of the same state: only the whole is a region of its own. */
function Forks({ forks, host }: { readonly forks: readonly StatePayload[]; readonly host: Host }) {
  const label = `${forks.length} forks`;
  return (
    <>
      <div class="scroll" role="group" aria-label={label} tabIndex={0}>
        <ul class="forks" aria-label={label}>
          {forks.map((fork, index) => (
            <li key={index} class="fork">
              <div class="role">
                fork {index + 1} of {forks.length}
              </div>
              <StateBody payload={fork} host={{ ...host, retry: null }} />
            </li>
          ))}
        </ul>
      </div>
      <Votes forks={forks} />
    </>
  );
}
