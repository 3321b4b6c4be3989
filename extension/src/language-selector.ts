/** Documents that the language server serves. */
import type { DocumentSelector } from 'vscode-languageclient';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from './notebook/notebook-type.ts';

/**
 * Cells are synced as notebooks; Python files and Jupyter's cells only get what concerns SGLang, next to
 * the user's own Python extension.
 *
 * @param schemes of Python files
 */
export function languageSelector(schemes: readonly string[]): DocumentSelector {
  return [
    { notebook: NOTEBOOK_TYPE, language: CELL_LANGUAGE },
    ...schemes.map((scheme) => ({ scheme, language: 'python' })),
    { notebook: 'jupyter-notebook', language: 'python' },
  ];
}
