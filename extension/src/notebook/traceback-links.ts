/**
 * Pure: tracebacks as VS Code's error output links them. Its stack-trace renderer turns
 * `Cell In[5], line 2` into a link to the cell with execution order 5; anything after the line number
 * would be dropped, so the function's name moves to a line of its own.
 */
const CELL_FRAME = /^(\s*)File "<([^">]+)>", line (\d+)(?:, in (.+))?$/gm;

/** `orders`: label of a cell (as in the traceback) → its latest execution order. */
export function linkTraceback(traceback: string, orders: ReadonlyMap<string, number>): string {
  return traceback.replace(
    CELL_FRAME,
    (frame, indent: string, label: string, line: string, name?: string) => {
      const order = orders.get(label);
      if (order === undefined) return frame;
      const scope = name === undefined || name === '<module>' ? '' : `\n${indent}in ${name}`;
      return `${indent}Cell In[${order}], line ${line}${scope}`;
    },
  );
}
