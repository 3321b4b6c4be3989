/**
 * Outcomes in the facts of a path: a text that something is, or that it is anything but a text. The
 * mark of the latter is no character of a program.
 */
const not = '\uffff';

export function anythingBut(text: string): string {
  return `${not}${text}`;
}

/** Can it be this text, by that fact? */
export function allows(fact: string, text: string): boolean {
  return fact.startsWith(not) ? fact.slice(1) !== text : fact === text;
}

/** Is it among these outcomes for certain, by that fact? */
export function isAmong(fact: string, outcomes: ReadonlySet<string>): boolean {
  if (outcomes.has(fact)) return true;
  if (fact.startsWith(not)) return false;
  return [...outcomes].some((outcome) => outcome.startsWith(not) && allows(outcome, fact));
}

/** Is it certainly none of these outcomes, by that fact? */
export function isNoneOf(fact: string, outcomes: ReadonlySet<string>): boolean {
  if (!fact.startsWith(not)) return !isAmong(fact, outcomes);
  return [...outcomes].every((outcome) => outcome === fact.slice(1));
}
