import { useRef } from 'preact/hooks';

/**
 * A live region that says how something ended, once, and only to those who saw it run: neither each
 * token nor the outputs of a file that is opened.
 */
export function Announcement({
  running,
  outcome,
}: {
  readonly running: boolean;
  /** Said when `running` has become false. */
  readonly outcome: string;
}) {
  const sawRunning = useRef(running);
  sawRunning.current ||= running;
  return (
    <p class="spoken" role="status">
      {sawRunning.current && !running ? outcome : ''}
    </p>
  );
}
