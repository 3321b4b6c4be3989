import type { Module } from '../syntax/ast.ts';

/** One cell of a notebook, or a whole `.py` file. */
export interface SourceUnit {
  readonly uri: string;
  readonly text: string;
  readonly tree: Module;
}
