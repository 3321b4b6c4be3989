/** Visits every node of a tree, parents first. */
import type { Argument, Block, Expression, Name, Parameter, Pattern, Statement } from './ast.ts';

export interface Visitor {
  readonly expression?: (node: Expression) => void;
  readonly statement?: (node: Statement) => void;
  /** Names that are bound without being an expression: parameters, imports, handlers, definitions. */
  readonly name?: (node: Name) => void;
}

export function walkBlock(block: Block, visitor: Visitor): void {
  for (const statement of block) walkStatement(statement, visitor);
}

/** All names in source order, as expressions and where they are bound; not attribute names. */
export function namesIn(block: Block): readonly Name[] {
  const found: Name[] = [];
  const take = (node: Name) => void (node.id !== '' && found.push(node));
  walkBlock(block, { expression: (node) => void (node.kind === 'Name' && take(node)), name: take });
  return found.sort((a, b) => a.start - b.start);
}

function walkParameters(parameters: readonly Parameter[], visitor: Visitor): void {
  for (const { name, annotation, defaultValue } of parameters) {
    if (name) visitor.name?.(name);
    each([annotation, defaultValue], visitor);
  }
}

function each(nodes: readonly (Expression | null | undefined)[], visitor: Visitor): void {
  for (const node of nodes) if (node) walkExpression(node, visitor);
}

function walkArguments(args: readonly Argument[], visitor: Visitor): void {
  for (const argument of args) walkExpression(argument.value, visitor);
}

export function walkStatement(node: Statement, visitor: Visitor): void {
  visitor.statement?.(node);
  switch (node.kind) {
    case 'FunctionDef':
      visitor.name?.(node.name);
      each(node.decorators, visitor);
      walkParameters(node.parameters, visitor);
      each([node.returns], visitor);
      walkBlock(node.body, visitor);
      return;
    case 'ClassDef':
      visitor.name?.(node.name);
      each(node.decorators, visitor);
      walkArguments(node.bases, visitor);
      walkBlock(node.body, visitor);
      return;
    case 'Expression':
    case 'AugmentedAssign':
      each(node.kind === 'Expression' ? [node.value] : [node.target, node.value], visitor);
      return;
    case 'Assign':
      each([...node.targets, node.value], visitor);
      return;
    case 'AnnotatedAssign':
      each([node.target, node.annotation, node.value], visitor);
      return;
    case 'Return':
      each([node.value], visitor);
      return;
    case 'Raise':
      each([node.exception, node.cause], visitor);
      return;
    case 'Assert':
      each([node.test, node.message], visitor);
      return;
    case 'Delete':
      each(node.targets, visitor);
      return;
    case 'Import':
    case 'ImportFrom':
      for (const { name, alias } of node.names) visitor.name?.(alias ?? name);
      return;
    case 'Global':
    case 'Nonlocal':
      for (const name of node.names) visitor.name?.(name);
      return;
    case 'If':
    case 'While':
      each([node.test], visitor);
      walkBlock(node.body, visitor);
      walkBlock(node.orElse, visitor);
      return;
    case 'For':
      each([node.target, node.iterable], visitor);
      walkBlock(node.body, visitor);
      walkBlock(node.orElse, visitor);
      return;
    case 'Try':
      walkBlock(node.body, visitor);
      for (const handler of node.handlers) {
        each([handler.type], visitor);
        if (handler.name) visitor.name?.(handler.name);
        walkBlock(handler.body, visitor);
      }
      walkBlock(node.orElse, visitor);
      walkBlock(node.finallyBody, visitor);
      return;
    case 'With':
      for (const { context, target } of node.items) each([context, target], visitor);
      walkBlock(node.body, visitor);
      return;
    case 'Match':
      each([node.subject], visitor);
      for (const item of node.cases) {
        walkPattern(item.pattern, visitor);
        each([item.guard], visitor);
        walkBlock(item.body, visitor);
      }
      return;
    case 'TypeAlias':
      visitor.name?.(node.name);
      each([node.value], visitor);
      return;
    case 'Magic':
      each([node.target], visitor);
      return;
    case 'Pass':
    case 'Break':
    case 'Continue':
    case 'Invalid':
  }
}

function walkPattern(node: Pattern, visitor: Visitor): void {
  switch (node.kind) {
    case 'ValuePattern':
      walkExpression(node.value, visitor);
      return;
    case 'CapturePattern':
      if (node.name) visitor.name?.(node.name);
      return;
    case 'AsPattern':
      visitor.name?.(node.name);
      walkPattern(node.pattern, visitor);
      return;
    case 'MappingPattern':
      each(node.keys, visitor);
      for (const child of node.children) walkPattern(child, visitor);
      return;
    case 'ClassPattern':
      walkExpression(node.type, visitor);
      for (const child of node.children) walkPattern(child, visitor);
      return;
    case 'OrPattern':
    case 'SequencePattern':
      for (const child of node.children) walkPattern(child, visitor);
  }
}

export function walkExpression(node: Expression, visitor: Visitor): void {
  visitor.expression?.(node);
  switch (node.kind) {
    case 'Str':
      for (const part of node.parts) if (part.kind === 'field') walkExpression(part.value, visitor);
      return;
    case 'Binary':
    case 'BoolOp':
      each([node.left, node.right], visitor);
      return;
    case 'Unary':
      walkExpression(node.operand, visitor);
      return;
    case 'Compare':
      each(node.operands, visitor);
      return;
    case 'Call':
      walkExpression(node.callee, visitor);
      walkArguments(node.args, visitor);
      return;
    case 'Attribute':
      walkExpression(node.object, visitor);
      return;
    case 'Subscript':
      each([node.object, node.index], visitor);
      return;
    case 'Slice':
      each(node.parts, visitor);
      return;
    case 'Tuple':
    case 'List':
    case 'Set':
      each(node.elements, visitor);
      return;
    case 'Dict':
      for (const { key, value } of node.entries) each([key, value], visitor);
      return;
    case 'Comprehension':
      each([node.element, node.value], visitor);
      for (const clause of node.clauses)
        each([clause.target, clause.iterable, ...clause.conditions], visitor);
      return;
    case 'Lambda':
      walkParameters(node.parameters, visitor);
      walkExpression(node.body, visitor);
      return;
    case 'Conditional':
      each([node.test, node.body, node.orElse], visitor);
      return;
    case 'Await':
    case 'Starred':
      walkExpression(node.value, visitor);
      return;
    case 'Yield':
      each([node.value], visitor);
      return;
    case 'Walrus':
      each([node.target, node.value], visitor);
      return;
    case 'Name':
    case 'Constant':
    case 'Missing':
  }
}

/** `run` of `program.run` and of `run`; nothing of other expressions. */
export function lastName(node: Expression): string {
  if (node.kind === 'Attribute') return node.attribute.id;
  return node.kind === 'Name' ? node.id : '';
}
