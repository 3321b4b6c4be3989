/** SGLang's frontend functions: parameters in order and what they do, as of SGLang 0.4.3. */

export interface ApiParameter {
  readonly name: string;
  readonly type: string;
  readonly defaultText: string | null;
  readonly doc: string;
}

export interface ApiFunction {
  readonly name: string;
  readonly parameters: readonly ApiParameter[];
  /** Parameters that only their name fills. */
  readonly keywords?: readonly ApiParameter[];
  readonly returns: string;
  readonly doc: string;
  /** Takes further keyword arguments. */
  readonly openKeywords?: boolean;
}

type Row = readonly [name: string, type: string, defaultText: string | null, doc: string];

const toParameters = (rows: readonly Row[]): readonly ApiParameter[] =>
  rows.map(([name, type, defaultText, doc]) => ({ name, type, defaultText, doc }));

const nameRow: Row = [
  'name',
  'str | None',
  'None',
  'Name of the variable that holds the generated text: read it as `state["name"]`.',
];

const commonSampling: readonly Row[] = [
  [
    'stop',
    'str | list[str] | None',
    'None',
    'Generation ends before any of these texts. Replaces the `stop` of `run`.',
  ],
  ['stop_token_ids', 'list[int] | None', 'None', 'Generation ends at any of these token ids.'],
  [
    'temperature',
    'float | None',
    'None',
    '0 takes the most likely token; higher values vary more.',
  ],
  [
    'top_p',
    'float | None',
    'None',
    'Sample from the most likely tokens that together have this probability.',
  ],
  ['top_k', 'int | None', 'None', 'Sample from this many most likely tokens; -1 for all.'],
  [
    'min_p',
    'float | None',
    'None',
    'Drop tokens less likely than this share of the most likely one.',
  ],
  [
    'frequency_penalty',
    'float | None',
    'None',
    'Lowers tokens by how often they appeared, -2 to 2.',
  ],
  ['presence_penalty', 'float | None', 'None', 'Lowers tokens that appeared at all, -2 to 2.'],
  ['ignore_eos', 'bool | None', 'None', 'Go on after the end-of-sequence token.'],
  [
    'return_logprob',
    'bool | None',
    'None',
    'Put log probabilities into `state.get_meta_info(name)`.',
  ],
  [
    'logprob_start_len',
    'int | None',
    'None',
    'First prompt token whose log probability is returned.',
  ],
  ['top_logprobs_num', 'int | None', 'None', 'How many alternatives per token to return.'],
  ['return_text_in_logprobs', 'bool | None', 'None', 'Return the tokens as text, too.'],
];

const maxTokens: Row = [
  'max_tokens',
  'int | None',
  'None',
  'Most tokens to generate (128 unless `run` says otherwise).',
];

const genRows: readonly Row[] = [
  nameRow,
  maxTokens,
  ['min_tokens', 'int | None', 'None', 'Fewest tokens to generate.'],
  ...commonSampling,
  [
    'dtype',
    'type | str | None',
    'None',
    'Constrain the text to read as `int`, `float`, `bool` or `str`. The value stays a `str`.',
  ],
  [
    'choices',
    'list[str] | None',
    'None',
    'Take the most likely of these texts. Every other argument but `temperature` and `choices_method` is ignored.',
  ],
  [
    'choices_method',
    'ChoicesSamplingMethod | None',
    'None',
    'How choices are scored: `token_length_normalized` (default), `greedy_token_selection` or `unconditional_likelihood_normalized`.',
  ],
  ['regex', 'str | None', 'None', 'The text matches this regular expression (Python dialect).'],
  [
    'json_schema',
    'str | None',
    'None',
    'The text is JSON that follows this schema, given as a JSON string.',
  ],
];

/** What `run` sets for all gens. */
const ofGen = (name: string): string =>
  `${commonSampling.find((row) => row[0] === name)?.[3] ?? ''} For gens that name none.`;

const runRows: readonly Row[] = [
  ['max_new_tokens', 'int | None', '128', 'Most tokens per gen. `None`: as many as fit.'],
  ['stop', 'str | list[str] | None', 'None', 'Stop texts of gens that name none.'],
  ['stop_token_ids', 'list[int] | None', 'None', 'Stop token ids of gens that name none.'],
  ['temperature', 'float', '1.0', 'Temperature of gens that name none.'],
  ['top_p', 'float', '1.0', ofGen('top_p')],
  ['top_k', 'int', '-1', ofGen('top_k')],
  ['min_p', 'float', '0.0', ofGen('min_p')],
  ['frequency_penalty', 'float', '0.0', ofGen('frequency_penalty')],
  ['presence_penalty', 'float', '0.0', ofGen('presence_penalty')],
  ['ignore_eos', 'bool', 'False', ofGen('ignore_eos')],
  ['return_logprob', 'bool | None', 'None', ofGen('return_logprob')],
  ['logprob_start_len', 'int | None', 'None', ofGen('logprob_start_len')],
  ['top_logprobs_num', 'int | None', 'None', ofGen('top_logprobs_num')],
  ['return_text_in_logprobs', 'bool | None', 'None', ofGen('return_text_in_logprobs')],
];
const backendRow: Row = [
  'backend',
  'BaseBackend | None',
  'None',
  'Backend for this run instead of the default one.',
];

/** `n` and `stop_regex` came with later versions. */
const laterKeywords: readonly Row[] = [
  ['n', 'int', '1', 'Samples per gen (newer SGLang).'],
  ['stop_regex', 'str | list[str] | None', 'None', 'Stop at a match (newer SGLang).'],
];

export const runParameters = toParameters([
  ...runRows,
  ['stream', 'bool', 'False', 'Return at once; read with `text_iter`.'],
  backendRow,
  ['use_thread', 'bool', 'True', 'Run the state in its own thread.'],
]);

export const runBatchParameters = toParameters([
  ...runRows,
  backendRow,
  ['num_threads', 'int | str', '"auto"', 'Programs at the same time.'],
  ['progress_bar', 'bool', 'False', 'Show progress.'],
  ['generator_style', 'bool', 'False', 'Yield states as they finish, in order.'],
]);

export const laterParameters = toParameters(laterKeywords);

/** Those of newer servers, which `gen` passes on. */
const genKeywords = toParameters([
  ['n', 'int | None', 'None', 'Samples; above 1 the value is a list of them (newer SGLang).'],
  ['stop_regex', 'str | list[str] | None', 'None', 'Stop at a match (newer SGLang).'],
  ['ebnf', 'str | None', 'None', 'The text follows this EBNF grammar.'],
  [
    'repetition_penalty',
    'float | None',
    'None',
    'Above 1 makes tokens less likely that the prompt or the text has already (0 to 2).',
  ],
  ['seed', 'int | None', 'None', 'The same seed draws the same text.'],
  ['tools', 'list[dict] | None', 'None', 'Tools for OpenAI’s chat API, in its form.'],
  ['tool_choice', 'str | dict | None', 'None', 'Which of the tools to call.'],
]);

/** Names that `run` takes for itself. */
export const samplingKeywords: ReadonlySet<string> = new Set(
  runParameters.map((parameter) => parameter.name),
);

const role = (name: string): ApiFunction => ({
  name,
  parameters: toParameters([['expr', 'SglExpr | str | None', 'None', 'Content of the message.']]),
  returns: 'SglExpr',
  doc: `A whole ${name} message of the conversation.`,
});
const edge = (name: string, what: string): ApiFunction => ({
  name,
  parameters: [],
  returns: 'SglExpr',
  doc: what,
});

const functions: readonly ApiFunction[] = [
  {
    name: 'gen',
    parameters: toParameters(genRows),
    keywords: genKeywords,
    returns: 'SglExpr',
    doc: 'Lets the model write text here and stores it under `name`.',
  },
  {
    name: 'gen_int',
    parameters: toParameters([nameRow, maxTokens, ...commonSampling]),
    keywords: genKeywords,
    returns: 'SglExpr',
    doc: 'Generates digits. The value is a `str`: use `int(state[name])`.',
  },
  {
    name: 'gen_string',
    parameters: toParameters([nameRow, maxTokens, ...commonSampling]),
    keywords: genKeywords,
    returns: 'SglExpr',
    doc: 'Generates a quoted string, quotes included.',
  },
  {
    name: 'select',
    parameters: toParameters([
      nameRow,
      ['choices', 'list[str]', null, 'The texts to choose from.'],
      ['temperature', 'float', '0.0', 'Must be 0: choices are scored, not sampled.'],
      [
        'choices_method',
        'ChoicesSamplingMethod',
        'token_length_normalized',
        'How choices are scored.',
      ],
    ]),
    returns: 'SglExpr',
    doc: 'Takes the most likely of the choices and stores it under `name`.',
  },
  {
    name: 'function',
    parameters: toParameters([
      ['func', 'Callable | None', 'None', 'The function to decorate; its first parameter is `s`.'],
      [
        'num_api_spec_tokens',
        'int | None',
        'None',
        'Tokens to ask an API model for ahead of time.',
      ],
    ]),
    returns: 'SglFunction',
    doc: 'Makes a function an SGLang program: `run`, `run_batch`, `bind`, `trace`.',
  },
  {
    name: 'image',
    parameters: toParameters([
      ['expr', 'str | bytes | PIL.Image', null, 'Path, bytes or picture.'],
    ]),
    returns: 'SglExpr',
    doc: 'Puts an image into the prompt of a vision model.',
  },
  {
    name: 'video',
    parameters: toParameters([
      ['path', 'str', null, 'Path of the video.'],
      ['num_frames', 'int', null, 'Frames to sample.'],
    ]),
    returns: 'SglExpr',
    doc: 'Puts frames of a video into the prompt of a vision model.',
  },
  role('system'),
  role('user'),
  role('assistant'),
  edge('system_begin', 'Begins a system message.'),
  edge('system_end', 'Ends the system message.'),
  edge('user_begin', 'Begins a user message.'),
  edge('user_end', 'Ends the user message.'),
  edge('assistant_begin', 'Begins an assistant message.'),
  edge('assistant_end', 'Ends the assistant message.'),
  {
    name: 'separate_reasoning',
    parameters: toParameters([
      ['expr', 'SglExpr', 'None', 'Expression with the gen.'],
      ['model_type', 'str', 'None', 'Reasoning format, e.g. `deepseek-r1` or `qwen3`.'],
    ]),
    returns: 'SglExpr',
    doc: 'Splits reasoning from the answer: `state[name]` and `state[name + "_reasoning_content"]`.',
  },
  {
    name: 'set_default_backend',
    parameters: toParameters([['backend', 'BaseBackend', null, 'Where programs run from now on.']]),
    returns: 'None',
    doc: 'Sets the backend of programs that name none.',
  },
  {
    name: 'RuntimeEndpoint',
    parameters: toParameters([
      ['base_url', 'str', null, 'Address of an SGLang server.'],
      ['api_key', 'str | None', 'None', 'Bearer token.'],
      ['verify', 'str | None', 'None', 'Certificate file.'],
      [
        'chat_template_name',
        'str | None',
        'None',
        'Chat template instead of the one guessed from the model path.',
      ],
    ]),
    returns: 'RuntimeEndpoint',
    doc: 'Backend that speaks to an SGLang server.',
  },
  {
    name: 'flush_cache',
    parameters: toParameters([['backend', 'BaseBackend | None', 'None', 'Which backend.']]),
    returns: 'bool',
    doc: "Empties the server's prefix cache.",
  },
  {
    name: 'get_server_info',
    parameters: toParameters([['backend', 'BaseBackend | None', 'None', 'Which backend.']]),
    returns: 'dict | None',
    doc: 'What the server says about itself.',
  },
];

export const apiFunctions: ReadonlyMap<string, ApiFunction> = new Map(
  functions.map((entry) => [entry.name, entry]),
);

/** Further public names of the package, without a signature of ours. */
const otherNames = [
  'OpenAI',
  'Anthropic',
  'VertexAI',
  'LiteLLM',
  'Runtime',
  'Engine',
  'token_length_normalized',
  'greedy_token_selection',
  'unconditional_likelihood_normalized',
  'global_config',
];

export const apiNames: ReadonlySet<string> = new Set([...apiFunctions.keys(), ...otherNames]);

/** What `dtype` takes. */
export const dtypeNames: readonly string[] = ['int', 'float', 'bool', 'str'];

/** What `join` takes. */
export const joinModes: readonly string[] = ['gather_variable', 'concate_and_append'];

/** What `choices_method` takes. */
export const choicesMethods: readonly string[] = [
  'token_length_normalized',
  'greedy_token_selection',
  'unconditional_likelihood_normalized',
];

/** Reasoning formats that `separate_reasoning` knows. */
export const reasoningModels: readonly string[] = [
  'deepseek-r1',
  'deepseek-v3',
  'glm45',
  'gpt-oss',
  'kimi',
  'kimi_k2',
  'minimax',
  'minimax-append-think',
  'qwen3',
  'qwen3-thinking',
  'step3',
];

/** Regular expressions that `sglang.lang.ir` exports. */
export const apiConstants: ReadonlyMap<string, string> = new Map([
  ['REGEX_INT', '[-+]?[0-9]+[ \\n]*'],
  ['REGEX_FLOAT', '[-+]?[0-9]*\\.?[0-9]+[ \\n]*'],
  ['REGEX_BOOL', '(True|False)'],
  ['REGEX_STR', '\\"[\\w\\d\\s]*\\"'],
]);

export const stateMethods: ReadonlyMap<string, string> = new Map([
  ['text', 'The whole text so far. Waits for generation.'],
  ['messages', 'The conversation as a list of `{"role", "content"}`. Waits for generation.'],
  ['error', 'The exception that stopped the program, or `None`.'],
  ['sync', 'Waits until everything appended so far is done.'],
  ['get_var', 'The value of a variable; the same as `state[name]`.'],
  ['set_var', 'Stores a value under a name.'],
  ['get_meta_info', "The server's information on a gen: tokens, log probabilities, finish reason."],
  ['text_iter', 'Pieces of the text (or of one variable) as they arrive.'],
  ['text_async_iter', 'Pieces of the text (or of one variable) as they arrive, asynchronously.'],
  [
    'fork',
    'Copies of the state that continue in parallel; `join()` gathers their variables as lists.',
  ],
  ['copy', 'A copy of the state as a context manager; its variables come back as lists of one.'],
  ['var_scope', 'Stores the text appended inside the `with` block under a name.'],
  ['system', 'A system message, or a `with` block for one.'],
  ['user', 'A user message, or a `with` block for one.'],
  ['assistant', 'An assistant message, or a `with` block for one.'],
]);

export const programMethods: ReadonlyMap<string, string> = new Map([
  ['run', 'Runs the program and returns its `ProgramState`.'],
  ['run_batch', 'Runs the program once per item, batched; returns the states in order.'],
  ['run_async', 'As `run`, to be awaited: the event loop goes on meanwhile.'],
  ['run_batch_async', 'As `run_batch`, to be awaited.'],
  ['bind', 'A program with some arguments already given.'],
  ['trace', 'Records what the program would do without running it.'],
  ['cache', "Puts the program's constant prefix into the server's cache."],
  ['compile', 'Compiles the program into a graph (old SGLang only).'],
]);
