import { removeOuterAnchors } from './regex/anchors.ts';
import { Automaton, DEFAULT_AUTOMATON_WORDS } from './automaton/automaton.ts';
import { CompiledGrammar } from './compiled-grammar.ts';
import {
  type ConstraintCompiler,
  type ConstraintSource,
  type ConstraintVocabulary,
  type Grammar,
} from './constraint.ts';
import type { RuleSet } from './syntax/grammar-node.ts';
import { parseEbnf } from './ebnf/ebnf-parser.ts';
import type { JsonWhitespace } from './json-schema/json-text.ts';
import { compileSchema } from './json-schema/schema-compiler.ts';
import { DEFAULT_MASK_CACHE_BYTES, MaskCache } from './masks/mask-cache.ts';
import { buildNetwork } from './network/network-builder.ts';
import { compactNetwork } from './network/network-compaction.ts';
import { parseRegex } from './regex/regex-parser.ts';
import { TokenTrie } from './masks/token-trie.ts';

export interface CompilerOptions {
  /** Memory for token masks of all grammars together, bytes. */
  readonly maskCacheBytes?: number;
  /** Memory for the states of one grammar, 32-bit words; beyond it they are computed anew. */
  readonly automatonWords?: number;
  /** Layout of JSON: `flexible` (default) leaves spaces and indentation to the model. */
  readonly jsonWhitespace?: JsonWhitespace;
  /** Compiled grammars kept. */
  readonly grammars?: number;
}

const DEFAULT_GRAMMARS = 64;

/** Compiles constraints for one vocabulary. The token trie is built when it is first needed. */
export function createConstraintCompiler(
  vocabulary: ConstraintVocabulary,
  options: CompilerOptions = {},
): ConstraintCompiler {
  return new CachingCompiler(vocabulary, options);
}

class CachingCompiler implements ConstraintCompiler {
  readonly #vocabulary: ConstraintVocabulary;
  readonly #options: CompilerOptions;
  readonly #grammars = new Map<string, Grammar>();
  #shared: { readonly trie: TokenTrie; readonly masks: MaskCache } | null = null;

  constructor(vocabulary: ConstraintVocabulary, options: CompilerOptions) {
    this.#vocabulary = vocabulary;
    this.#options = options;
  }

  compile(source: ConstraintSource): Grammar {
    const key = cacheKey(source);
    const grammar = this.#grammars.get(key) ?? this.#compile(source);
    this.#grammars.delete(key);
    this.#grammars.set(key, grammar);
    this.#dropOldest();
    return grammar;
  }

  #compile(source: ConstraintSource): Grammar {
    const { rules, warnings } = readSource(source, this.#options.jsonWhitespace ?? 'flexible');
    const { trie, masks } = this.#share();
    const network = compactNetwork(buildNetwork(rules), trie.usableBytes);
    const words = this.#options.automatonWords ?? DEFAULT_AUTOMATON_WORDS;
    return new CompiledGrammar({ automaton: new Automaton(network, words), trie, masks, warnings });
  }

  #share(): { readonly trie: TokenTrie; readonly masks: MaskCache } {
    if (this.#shared === null) {
      const trie = new TokenTrie(this.#vocabulary);
      const maskBytes = ((trie.vocabularySize + 31) >> 5) * 4;
      const limit = this.#options.maskCacheBytes ?? DEFAULT_MASK_CACHE_BYTES;
      this.#shared = { trie, masks: new MaskCache(maskBytes, limit) };
    }
    return this.#shared;
  }

  #dropOldest(): void {
    const limit = this.#options.grammars ?? DEFAULT_GRAMMARS;
    for (const oldest of this.#grammars.keys()) {
      if (this.#grammars.size <= limit) return;
      this.#grammars.delete(oldest);
    }
  }
}

function cacheKey(source: ConstraintSource): string {
  switch (source.kind) {
    case 'regex':
      return `regex:${source.pattern}`;
    case 'json_schema':
      return `json_schema:${source.schema}`;
    case 'ebnf':
      return `ebnf:${source.grammar}`;
  }
}

function readSource(
  source: ConstraintSource,
  whitespace: JsonWhitespace,
): {
  readonly rules: RuleSet;
  readonly warnings: readonly string[];
} {
  switch (source.kind) {
    case 'regex':
      return { rules: regexRules(source.pattern), warnings: [] };
    case 'ebnf':
      return { rules: parseEbnf(source.grammar), warnings: [] };
    case 'json_schema': {
      const { grammar, warnings } = compileSchema(source.schema, whitespace);
      return { rules: grammar, warnings };
    }
  }
}

function regexRules(pattern: string): RuleSet {
  const body = removeOuterAnchors(parseRegex(pattern));
  return { rules: new Map([['root', body]]), root: 'root' };
}
