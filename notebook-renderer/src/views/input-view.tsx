import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { InputPayload } from '../../../extension/protocol/output-payloads.ts';
import type { Questions } from '../questions.ts';
import { visibleText } from '../visible-text.ts';

interface Props {
  readonly payload: InputPayload;
  readonly questions: Questions | null;
}

type Phase = 'closed' | 'open' | 'answered';

/** A question of `input()` with its field. Without somebody who waits for the answer it is text. */
export function InputView({ payload: { id, prompt, password }, questions }: Props) {
  const [phase, setPhase] = useState<Phase>('closed');
  const [focus, setFocus] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const name = useId();
  useEffect(
    () =>
      questions?.drawn(id, (mayFocus) => {
        setPhase((before) => (before === 'answered' ? before : 'open'));
        setFocus(mayFocus);
      }),
    [id, questions],
  );
  useEffect(() => {
    if (phase === 'open' && focus) field.current?.focus();
  }, [phase, focus]);
  const answer = (text: string | null): void => {
    if (phase !== 'open') return;
    setPhase('answered');
    questions?.answer(id, text);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isEditing(event)) event.stopPropagation();
    if (event.isComposing || (event.key !== 'Enter' && event.key !== 'Escape')) return;
    event.preventDefault();
    answer(event.key === 'Enter' ? (field.current?.value ?? '') : null);
  };
  const asked = visibleText(prompt);
  if (phase === 'closed') return <p class="question">{asked}</p>;
  const label = prompt.trim() === '' ? 'Input of the cell' : asked;
  return (
    <p class="question">
      <label for={`${name}field`}>{asked}</label>
      <input
        id={`${name}field`}
        ref={field}
        type={password ? 'password' : 'text'}
        aria-label={label}
        aria-describedby={`${name}hint`}
        autocomplete="off"
        spellcheck={false}
        readOnly={phase === 'answered'}
        onKeyDown={onKeyDown}
      />
      <span id={`${name}hint`} class="hint">
        Enter sends, Escape ends the input
      </span>
    </p>
  );
}

/** Keys of the field are no commands of the notebook; those of the window, such as F1, go their way. */
function isEditing({ key, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (/^F\d+$/.test(key) || key === 'Tab') return false;
  return ctrlKey || metaKey ? /^[acvxyz]$/i.test(key) || key.length > 1 : !altKey;
}
