/**
 * Which functions of a module can have to do with SGLang, by the words they use and by whom they
 * call. Calls between other functions are not followed: in plain Python they lead far and tell nothing.
 */
import type { FunctionDef, Lambda } from '../syntax/ast.ts';
import { walkBlock } from '../syntax/walk.ts';
import type { SourceUnit } from './source-unit.ts';

interface FunctionWords {
  readonly node: FunctionDef;
  readonly usesApi: boolean;
  readonly calls: readonly string[];
}

/** Words of the language in front of a parenthesis, a state that is appended to, a decorator of ours. */
const apiWords =
  /\b(?:gen|gen_int|gen_string|select|image|video|system|user|assistant|function|(?<!subprocess\.)run|run_batch|run_async|run_batch_async|fork|bind|var_scope|get_meta_info)\s*\(|\.run(?:_batch)?(?:_async)?\s*[,)]|\bs\s*\+=|^\s*@(?!property|staticmethod|classmethod|functools|wraps|contextmanager|abstractmethod|dataclass|overload|\w+\.setter)/m;

const known = new WeakMap<object, readonly FunctionWords[]>();

/** Found once per version of the text. */
function wordsOf({ text, tree }: SourceUnit): readonly FunctionWords[] {
  const found = known.get(tree);
  if (found) return found;
  const functions: FunctionWords[] = [];
  walkBlock(tree.body, {
    statement: (node) => {
      if (node.kind !== 'FunctionDef') return;
      const source = text.slice(node.start, node.end);
      // Functions are called, or handed on to be called: `executor.map(ask, questions)`.
      const calls = [...source.matchAll(/(\w+)\s*[(,)]/g)].map((match) => match[1] ?? '');
      functions.push({ node, usesApi: apiWords.test(source), calls: [...new Set(calls)] });
    },
  });
  known.set(tree, functions);
  return functions;
}

export class Relevance {
  readonly #plain = new Set<object>();

  constructor(units: readonly SourceUnit[]) {
    let rest = units.flatMap(wordsOf);
    const names = new Set<string>();
    for (let size = -1; names.size !== size;) {
      size = names.size;
      rest = rest.filter(({ node, usesApi, calls }) => {
        const isRelevant = usesApi || calls.some((name) => names.has(name));
        if (isRelevant) names.add(node.name.id);
        return !isRelevant;
      });
    }
    for (const { node } of rest) this.#plain.add(node);
  }

  /** Functions of other modules and lambdas are taken to matter. */
  has(node: FunctionDef | Lambda): boolean {
    return !this.#plain.has(node);
  }
}
