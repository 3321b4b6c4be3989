/** Plain data of the service → messages of the protocol. */
import {
  CodeActionKind,
  CompletionItemKind,
  DiagnosticSeverity,
  DiagnosticTag,
  InsertTextFormat,
  MarkupKind,
  SymbolKind,
  type CodeAction as LspCodeAction,
  type CompletionItem as LspCompletionItem,
  type Diagnostic as LspDiagnostic,
  type DocumentSymbol as LspDocumentSymbol,
  type Range,
  type SignatureHelp as LspSignatureHelp,
  type TextEdit as LspTextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { CodeAction } from './features/code-actions.ts';
import type { CompletionItem } from './features/completion.ts';
import type { Diagnostic } from './features/diagnostics.ts';
import { tokenTypes, type SemanticToken } from './features/semantic-tokens.ts';
import type { SignatureHelp } from './features/signatures.ts';
import type { DocumentSymbol } from './features/symbols.ts';

const documentation =
  'https://github.com/sglang-notebooks/sglang-notebooks/blob/main/language-server/docs/rules';

export function toRange(
  document: TextDocument,
  span: { readonly start: number; readonly end: number },
): Range {
  return { start: document.positionAt(span.start), end: document.positionAt(span.end) };
}

const severities = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
} as const;

export function toDiagnostic(document: TextDocument, entry: Diagnostic): LspDiagnostic {
  return {
    range: toRange(document, entry),
    severity: severities[entry.severity],
    code: entry.code,
    codeDescription: { href: `${documentation}/${entry.code}.md` },
    source: 'sglang',
    message: entry.message,
    ...(entry.code === 'unused-gen' || entry.code === 'ignored-argument'
      ? { tags: [DiagnosticTag.Unnecessary] }
      : {}),
  };
}

const completionKinds = {
  variable: CompletionItemKind.Field,
  value: CompletionItemKind.EnumMember,
  parameter: CompletionItemKind.Property,
  key: CompletionItemKind.Field,
} as const;

export function toCompletionItem(document: TextDocument, item: CompletionItem): LspCompletionItem {
  return {
    label: item.label,
    kind: completionKinds[item.kind],
    detail: item.detail,
    documentation: { kind: MarkupKind.Markdown, value: item.documentation },
    textEdit: { range: toRange(document, item), newText: item.insertText },
    insertTextFormat: InsertTextFormat.PlainText,
    filterText: item.insertText,
  };
}

const symbolKinds = {
  program: SymbolKind.Class,
  function: SymbolKind.Function,
  class: SymbolKind.Class,
  role: SymbolKind.Event,
  gen: SymbolKind.Field,
} as const;

export function toSymbol(document: TextDocument, symbol: DocumentSymbol): LspDocumentSymbol {
  return {
    name: symbol.name === '' ? '""' : symbol.name,
    detail: symbol.detail,
    kind: symbolKinds[symbol.kind],
    range: toRange(document, symbol),
    selectionRange: toRange(document, symbol.selection),
    children: symbol.children.map((child) => toSymbol(document, child)),
  };
}

export function toSignatureHelp({
  signature,
  label,
  activeParameter,
}: SignatureHelp): LspSignatureHelp {
  return {
    signatures: [
      {
        label,
        documentation: { kind: MarkupKind.Markdown, value: signature.doc },
        parameters: signature.parameters.map((parameter) => ({
          label: parameter.label,
          documentation: { kind: MarkupKind.Markdown, value: parameter.doc },
        })),
      },
    ],
    activeSignature: 0,
    activeParameter: activeParameter < 0 ? signature.parameters.length : activeParameter,
  };
}

export function toTextEdits(
  document: TextDocument,
  edits: readonly { readonly start: number; readonly end: number; readonly text: string }[],
): LspTextEdit[] {
  return edits.map((edit) => ({ range: toRange(document, edit), newText: edit.text }));
}

const actionKinds = {
  quickfix: CodeActionKind.QuickFix,
  'refactor.extract': CodeActionKind.RefactorExtract,
  'refactor.rewrite': CodeActionKind.RefactorRewrite,
} as const;

export function toCodeAction(document: TextDocument, action: CodeAction): LspCodeAction {
  const edit: WorkspaceEdit = { changes: { [document.uri]: toTextEdits(document, action.edits) } };
  return {
    title: action.title,
    kind: actionKinds[action.kind],
    edit,
    isPreferred: action.preferred,
    ...(action.diagnostic ? { diagnostics: [toDiagnostic(document, action.diagnostic)] } : {}),
  };
}

/** Five numbers per token, relative to the one before. Tokens over several lines are left out. */
export function encodeTokens(document: TextDocument, tokens: readonly SemanticToken[]): number[] {
  const data: number[] = [];
  let line = 0;
  let character = 0;
  for (const token of tokens) {
    const { start, end } = toRange(document, token);
    if (start.line !== end.line) continue;
    const sameLine = start.line === line;
    data.push(start.line - line, sameLine ? start.character - character : start.character);
    data.push(end.character - start.character, tokenTypes.indexOf(token.type), 0);
    line = start.line;
    character = start.character;
  }
  return data;
}
