import { describe, it } from 'vitest';
import { checkDiagnostics } from '../support/check.ts';

const body = (lines: string) =>
  `@function\ndef f(s, q: str = ""):\n${lines.replaceAll(/^/gm, '    ')}`;

/** Sixty-odd mistakes as people make them; each marked, and nothing else reported. */
const mistakes: Readonly<Record<string, readonly string[]>> = {
  'a typo after the run': [
    body('s += gen("capital")'),
    'state = f.run()\nstate[«unknown-variable:"captial"»]',
  ],
  'a typo inside the program': [body('s += gen("capital")\ns += s[«unknown-variable:"capitol"»]')],
  'a number for a name': [
    body('s += gen("a")'),
    'st = f.run()\nst[«unknown-variable:0»]\nf.run_batch([{}])[0]["a"]',
  ],
  'a name that never existed': [body('s += gen("a")'), 'f.run()[«unknown-variable:"zebra"»]'],
  'a typo in get_meta_info': [
    body('s += gen("answer")'),
    'st = f.run()\nst.get_meta_info(«unknown-variable:"anwser"»)',
  ],
  'a typo in text_iter': [
    body('s += gen("answer")'),
    'for t in f.run(stream=True).text_iter(«unknown-variable:"answr"»): print(t)',
  ],
  'a typo in batch results': [
    body('s += gen("answer")'),
    'for st in f.run_batch([{"q": "a"}]):\n    print(st[«unknown-variable:"Answer"»])',
  ],
  'a typo in a list of states': [
    body('s += gen("answer")'),
    'states = [f.run(q=q) for q in ["a"]]\nstates[0][«unknown-variable:"anser"»]',
  ],
  'a typo in a comprehension': [
    body('s += gen("answer")'),
    'x = [st[«unknown-variable:"answe"»] for st in f.run_batch([{}])]',
  ],
  'a typo in an f-string': [
    body('s += gen("answer")'),
    'st = f.run()\nprint(f"{st[«unknown-variable:\'ansver\'»]}")',
  ],
  'a typo in a function after the run': [
    body('s += gen("answer")'),
    'def main():\n    st = f.run()\n    return st[«unknown-variable:"ansewr"»]',
  ],
  'a typo through bind': [
    body('s += gen("answer")'),
    'g = f.bind(q="x")\ng.run()[«unknown-variable:"anwer"»]',
  ],
  'a typo through a direct call': [
    body('s += gen("answer")'),
    'f("x")[«unknown-variable:"answerr"»]',
  ],
  'a typo in select': [
    body('s += select("tool", choices=["a", "b"])\nif s[«unknown-variable:"tol"»] == "a": pass'),
  ],
  'a typo in var_scope': [
    body('with s.var_scope("json_output"):\n    s += gen()'),
    'f.run()[«unknown-variable:"json_outputs"»]',
  ],
  'a typo in a sub-program': [
    body('s += gen("tip")'),
    '@function\ndef g(s):\n    st = f("x")\n    s += st[«unknown-variable:"tipp"»]',
  ],
  'a typo in a fork': [
    body('forks = s.fork(2)\nforks += gen("tip")\ns += forks[0][«unknown-variable:"tup"»]'),
  ],
  'a typo after join': [
    body('forks = s.fork(2)\nforks += gen("tip")\nforks.join()\nx = s[«unknown-variable:"tips"»]'),
  ],
  'a typo in a copy': [
    body('with s.copy() as c:\n    c += gen("draft")\nx = s[«unknown-variable:"darft"»]'),
  ],
  'a typo after a run in a thread': [
    `import asyncio\n${body('s += gen("tip")')}\nasync def go():\n    state = await asyncio.to_thread(f.run, q="x")\n    return state[«unknown-variable:"tpi"»]`,
  ],
  'typos after gather, in a pool and in a partial': [
    `import asyncio\nfrom functools import partial\n${body('s += gen("tip")')}\nasync def one(q):\n    return await asyncio.to_thread(f.run, q=q)\nasync def go(pool):\n    states = await asyncio.gather(*[one(q) for q in "ab"])\n    print(states[0][«unknown-variable:"tpi"»], asyncio.run(one("a"))[«unknown-variable:"tpo"»])\n    for state in pool.map(partial(f.run, temperature=0), ["a"]):\n        print(state[«unknown-variable:"tap"»])\n    print(pool.submit(f.run, q="a").result()[«unknown-variable:"top"»])`,
  ],
  'wrong arguments of a run in a thread': [
    `import asyncio\n@function\ndef f(s, q):\n    s += q + gen("tip")\nasync def go():\n    return await «call-arguments:asyncio.to_thread»(f.run, «call-arguments:p»="x")`,
  ],
  'a typo where another exception is suppressed': [
    `from contextlib import suppress\n${body('s += gen("tip")')}\nwith suppress(ValueError):\n    print(f.run(q="x")[«unknown-variable:"tpi"»])`,
  ],
  'typos in what instances hold': [
    body('s += gen("tip")'),
    'class Bot:\n    def __init__(self, q):\n        self.first, self.last = f.run(q=q), None\n    def ask(self, q):\n        self.last = f.run(q=q)\n    def __call__(self):\n        return self.first\nclass Sub(Bot): pass\nbot = Bot("x")\nprint(bot.first[«unknown-variable:"tpi"»], bot()[«unknown-variable:"tap"»])\nbot.ask("y")\nbot.ask("z")\nprint(bot.last[«unknown-variable:"top"»], Sub("x").first[«unknown-variable:"typ"»])',
  ],
  'a choice of no turn of a loop': [
    body(
      'for name in ["c", "d"]:\n    s += gen("a", choices=[name])\n    ok = s["a"] == "d" or s["a"] == «impossible-comparison:"e"»',
    ),
  ],
  'typos in the message of an assertion and in a sort': [
    body('s += gen("tip")'),
    'states = f.run_batch([{"q": "x"}])\nstates.sort(key=lambda state: state[«unknown-variable:"tpi"»])\nassert states, f"none: {states[0][«unknown-variable:\'tap\'»]}"',
  ],
  'typos in lambdas that others call, and behind a progress bar': [
    body('s += gen("tip")'),
    'st = f.run()\njob = lambda: st[«unknown-variable:"tpi"»]\ndf["q"].apply(lambda q: f.run(q=q)[«unknown-variable:"tap"»])\nfor state in tqdm(f.run_batch([{}])): print(state[«unknown-variable:"top"»])',
  ],
  'a typo in a key function': [
    body('s += gen("tip")'),
    'states = f.run_batch([{"q": "x"}])\nbest = max(states, key=lambda st: len(st[«unknown-variable:"tpi"»]))',
  ],
  'typos in dicts of runs': [
    body('s += gen("tip")'),
    'runs = {q: f.run(q=q) for q in ["a", "b"]}\nfor q, run in runs.items():\n    print(run[«unknown-variable:"tpi"»])\nfilled = {}\nfor q in ["a", "b"]:\n    filled[q] = f.run(q=q)\nprint(filled["a"][«unknown-variable:"tpo"»])',
  ],
  'a typo in the rest of a list': [
    body('s += gen("tip")'),
    'first, *others = f.run_batch([{"q": "x"}])\nprint([o[«unknown-variable:"tpi"»] for o in others])',
  ],
  'the other part of a tuple that matched': [
    body(
      's += gen("t", choices=["x", "y"])\nmatch s["t"], q:\n    case ("x", _):\n        s += gen("a")\n    case ("y", _):\n        s += s[«read-before-gen:"a"»]',
    ),
  ],
  'a name beyond the unrolled loop': [
    body('for i in range(3):\n    s += gen(f"tip_{i}")\nx = s[«unknown-variable:"tip_3"»]'),
  ],
  'a name outside a pattern': [
    body('for i in range(int(q)):\n    s += gen(f"tip_{i}")\nx = s[«unknown-variable:"hint_1"»]'),
  ],
  'a typo among the names of a loop': [
    body('s += gen("a") + gen("b")'),
    'st = f.run()\nfor name in ["a", "bb"]:\n    print(name, st[«unknown-variable:name»])\nrow = {key: st[«unknown-variable:key»] for key in ("a", "c")}',
  ],
  'one of two names that does not exist': [
    body('s += gen("a")\nkey = "a" if q else "zebra"\ns += s[«unknown-variable:key»]'),
  ],
  'read before gen': [body('s += s[«read-before-gen:"a"»]\ns += gen("a")')],
  'read before join': [
    body('forks = s.fork(2)\nforks += gen("a")\nx = s[«read-before-gen:"a"»]\nforks.join()'),
  ],
  'set on one branch': [body('if q:\n    s += gen("a")\ns += s[«maybe-unset:"a"»]')],
  'the other mode': [
    '@function\ndef f(s, mode):\n    if mode == "a":\n        s += gen("x")\n    elif mode == "b":\n        s += s[«read-before-gen:"x"»]',
  ],
  'a flag that is off': [
    '@function\ndef f(s, cot=False):\n    if cot:\n        s += gen("thought")\n    s += gen("a")',
    'f.run(cot=False)[«read-before-gen:"thought"»]\nf.run(cot=True)["thought"]',
  ],
  'set in a while loop': [body('while len(q) > 3:\n    s += gen("a")\ns += s[«maybe-unset:"a"»]')],
  'set in try': [
    body(
      'try:\n    risky()\n    s += gen("a")\nexcept ValueError:\n    pass\ns += s[«maybe-unset:"a"»]',
    ),
  ],
  'the other choice ran': [
    body(
      's += gen("t", choices=["x", "y"])\nif s["t"] == "x":\n    s += gen("a")\ns += s[«maybe-unset:"a"»]',
    ),
  ],
  'the wrong branch reads': [
    body(
      's += gen("t", choices=["x", "y"])\nif s["t"] == "x":\n    s += gen("a")\nelse:\n    s += s[«read-before-gen:"a"»]',
    ),
  ],
  'a case that nobody covers': [
    body(
      's += gen("t", choices=["x", "y"])\nmatch s["t"]:\n    case "x":\n        s += gen("a")\n    case «impossible-comparison:"z"»:\n        s += gen("b")',
    ),
  ],
  'no choice equals': [
    body('s += gen("t", choices=["yes", "no"])\nif s["t"] == «impossible-comparison:"Yes"»: pass'),
  ],
  'a comparison after the run': [
    body('s += select("t", choices=["yes", "no"])'),
    'st = f.run()\nif st["t"] != «impossible-comparison:"maybe"»: pass',
  ],
  'a comparison through a name': [
    body('s += select("t", choices=["yes", "no"])'),
    't = f.run()["t"]\nok = t == «impossible-comparison:"y"»',
  ],
  'membership of no choice': [
    body(
      's += select("t", choices=["yes", "no"])\nif s["t"] in ["yes", «impossible-comparison:"nope"»]: pass',
    ),
  ],
  'already narrowed away': [
    body(
      's += select("t", choices=["a", "b"])\nif s["t"] == "a": pass\nelif s["t"] == «impossible-comparison:"c"»: pass',
    ),
  ],
  'a list compared with text': [
    body('forks = s.fork(2)\nforks += gen("a")\nforks.join()'),
    'if f.run()["a"] == «impossible-comparison:"x"»: pass',
  ],
  'dtype compared with a number': [
    body('s += gen("age", dtype=int)\nif «value-is-str:s["age"]» > 18: pass'),
  ],
  'gen_int in arithmetic': [
    body('s += gen_int("age")'),
    'st = f.run()\nx = «value-is-str:st["age"]» + 1',
  ],
  'a number on the left': [
    body('s += gen("age", dtype=int)'),
    'a = f.run()["age"]\nprint(10 - «value-is-str:a»)',
  ],
  'a bool comparison': [
    body('s += gen("ok", dtype=bool)\nif «value-is-str:s["ok"]» == True: pass'),
  ],
  'numbers where text is': [
    body(
      's += gen("n", dtype=int) + gen("p", dtype=float)\nfor i in range(«value-is-str:s["n"]»): pass\nx = [1, 2, 3][«value-is-str:s["n"]»]\ny = -«value-is-str:s["n"]» + round(«value-is-str:s["p"]»)\nz = «value-is-str:s["p"]» * 2.5 + «value-is-str:s["n"]» % 2\nok = «value-is-str:s["n"]» in [1, 2]',
    ),
  ],
  'a sum of texts': [
    body(
      'forks = s.fork(2)\nforks += gen("n", dtype=int)\nforks.join()\nx = sum(«value-is-str:s["n"]») / 2 + sum(int(n) for n in s["n"])',
    ),
  ],
  'an answer that is always true': [
    body(
      's += gen("ok", dtype=bool) + gen("sure", choices=["yes", "no"]) + gen("why")\nif «value-is-str:s["ok"]»: pass\nwhile not «value-is-str:s["sure"]»: pass\nx = 1 if «value-is-str:s["sure"]» else 2\nassert «value-is-str:s["ok"]»\ny = [i for i in q if «value-is-str:s["ok"]»]\nif «value-is-str:s["ok"]» and s["why"]: pass',
    ),
  ],
  'overwritten before it is read': [body('s += gen("a")\ns += gen(«duplicate-name:"a"»)')],
  'max_tokens with choices': [
    body('s += gen("a", choices=["x", "y"], «ignored-argument:max_tokens=5»)'),
  ],
  'regex with choices': [body('s += gen("a", «ignored-argument:regex="a+"», choices=["x", "y"])')],
  'select with temperature': [
    body('s += select("a", choices=["x", "y"], «select-temperature:temperature=0.7»)'),
  ],
  'no choices': [body('s += gen("a", «empty-choices:choices=[]»)')],
  'an empty choice': [body('s += select("a", choices=«empty-choices:["x", ""]»)')],
  'the same choice twice': [body('s += select("a", choices=«duplicate-choice:["x", "x"]»)')],
  'dtype and regex': [body('s += gen("a", dtype=int, «dtype-with-regex:regex="[0-9]+"»)')],
  'regex and json_schema': [
    body('s += gen("a", regex="a+", «regex-with-json-schema:json_schema="{}"»)'),
  ],
  'choices in one text, and in a dict': [
    body(
      's += gen("a", choices=«call-arguments:"yes no"»)\ns += select("b", choices=«call-arguments:{"x": 1}»)',
    ),
  ],
  'a typo after a run that is awaited': [
    body('s += gen("tip")'),
    'st = await f.run_async(q="x", «call-arguments:max_tokens»=3)\nst[«unknown-variable:"tpi"»]\nfor st in await f.run_batch_async([{"q": "a"}, {"«call-arguments:p»": "b"}]):\n    print(st[«unknown-variable:"tpo"»])',
  ],
  'an unknown dtype': [body('s += gen("a", dtype=«invalid-dtype:"list"»)')],
  'an open parenthesis in a regex': [body('s += gen("a", regex=r"«invalid-regex:(»a|b")')],
  'an open set in a regex': [body('s += gen("a", regex=r"x«invalid-regex:[»abc")')],
  'nothing to repeat': [body('s += gen("a", regex=r"«invalid-regex:*»a")')],
  'a bad range': [body('s += gen("a", regex=r"[«invalid-regex:z»-a]")')],
  'an empty regex': [body('s += gen("a", regex=«invalid-regex:""»)')],
  'look-ahead': [body('s += gen("a", regex=r"a«unsupported-regex:(»?=b)")')],
  'a back-reference': [body('s += gen("a", regex=r"(a)«unsupported-regex:\\»1")')],
  'a regex that cannot finish': [
    body('s += gen("a", regex=r"[a-z]{400}", «regex-exceeds-max-tokens:max_tokens=16»)'),
  ],
  'a schema that is no JSON': [
    body(`s += gen("a", json_schema='{"type": «invalid-json-schema:o»bject}')`),
  ],
  'a schema with a wrong type': [
    body(`s += gen("a", json_schema=«invalid-json-schema:'{"type": "strin"}'»)`),
  ],
  'a schema as a dict': [
    body('s += gen("a", json_schema=«invalid-json-schema:{"type": "object"}»)'),
  ],
  'a class as a schema': [
    'from pydantic import BaseModel\nclass City(BaseModel):\n    name: str',
    body('s += gen("a", json_schema=«invalid-json-schema:City»)'),
  ],
  'a reference that leads nowhere': [
    body(
      `s += gen("a", json_schema=«invalid-json-schema:'{"properties": {"x": {"$ref": "#/$defs/Y"}}}'»)\ns += gen("b", json_schema='{"$ref": "#/$defs/Y", "$defs": {"Y": {"type": "object"}}}')`,
    ),
  ],
  'a pattern and limits that nothing fits': [
    body(
      `s += gen("a", json_schema=«invalid-json-schema:'{"type": "string", "pattern": "[a-z"}'»)\ns += gen("b", json_schema='{"type": "string", "pattern": "\\\\\\\\p{L}+"}')\ns += gen("c", json_schema=«invalid-json-schema:'{"items": {"minLength": 4, "maxLength": 2}}'»)`,
    ),
  ],
  'keys behind references': [
    body(
      `s += gen("a", json_schema='{"properties": {"x": {"$ref": "#/$defs/Y"}, "z": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/Y"}, {"type": "null"}]}}}, "$defs": {"Y": {"properties": {"name": {"type": "string"}, "next": {"allOf": [{"$ref": "#/$defs/Y"}]}}}}}')`,
    ),
    'd = json.loads(f.run()["a"])\nprint(d["x"]["name"], d["x"][«unknown-json-key:"nam"»], d["z"][0][«unknown-json-key:"nam"»], d["x"]["next"][«unknown-json-key:"nam"»])',
  ],
  'a negative max_tokens': [body('s += gen("a", max_tokens=«invalid-sampling-value:-1»)')],
  'top_p above one': [body('s += gen("a", top_p=«invalid-sampling-value:1.5»)')],
  'the first parameter is not s': ['@function\ndef f(«first-parameter:state», q):\n    state += q'],
  'a program with self': [
    'class A:\n    @function\n    def f(«first-parameter:self», s, q):\n        s += q',
  ],
  'a parameter that run takes': [
    '@function\ndef f(s, «shadowed-sampling-parameter:temperature»):\n    s += gen("a")',
  ],
  'nested roles': [
    body('s += user("a" + «nested-role:assistant(gen("b"))»«unbalanced-role:»)').replace(
      '«unbalanced-role:»',
      '',
    ),
  ],
  'a role that never ends': [body('s += «unbalanced-role:user_begin()»\ns += "hi"')],
  'a role that never began': [body('s += «unbalanced-role:assistant_end()»')],
  'gen outside a role': [body('s += user(q)\ns += «gen-outside-assistant:gen("a")»')],
  'a regex on OpenAI': [
    'set_default_backend(OpenAI("gpt-3.5-turbo"))',
    body('s += user(q)\ns += assistant(«unsupported-on-backend:gen("a", regex="a+")»)'),
  ],
  'an image for a text model': [
    'set_default_backend(OpenAI("gpt-3.5-turbo"))',
    body('s += user(«unsupported-on-backend:image(q)» + "what is it?")\ns += assistant(gen("a"))'),
  ],
  'a number on a chat API': [
    'set_default_backend(OpenAI("gpt-4"))',
    body('s += user(q)\ns += assistant(«unsupported-on-backend:gen_int("a")»)'),
  ],
  'a missing argument': [
    '@function\ndef g(s, question):\n    s += question',
    '«call-arguments:g.run»()',
  ],
  'an unknown argument': [
    '@function\ndef g(s, question):\n    s += question',
    '«call-arguments:g.run»(«call-arguments:qestion»="x")',
  ],
  'a wrong batch key': [
    '@function\ndef g(s, question):\n    s += question',
    'g.run_batch([«call-arguments:{"«call-arguments:quetion»": "x"}»])'.replace(
      '«call-arguments:{"«call-arguments:quetion»": "x"}»',
      '{"question": "x", "«call-arguments:topik»": 1}',
    ),
  ],
  'too many arguments': [
    '@function\ndef g(s, question):\n    s += question',
    'g.run("a", «call-arguments:"b"»)',
  ],
  'too many arguments by position': [
    '@function\ndef g(s, a, *, b=1):\n    s += a',
    'g.run("a", «call-arguments:"b"»)\ng.run("a", b="b")',
  ],
  'two values for one argument': [
    '@function\ndef g(s, a, b=1):\n    s += a',
    'g.run("x", «call-arguments:a="y"»)',
  ],
  'one run instead of a batch': [
    '@function\ndef g(s, a):\n    s += a',
    'g.run_batch(«call-arguments:{"a": "x"}»)',
  ],
  'rows that do not fit': [
    '@function\ndef g(s, a, b=1):\n    s += a',
    'g.run_batch([("x",), «call-arguments:()», ["x", 2], «call-arguments:("x", 2, 3)»])',
  ],
  'an unknown bind': [
    '@function\ndef g(s, question):\n    s += question',
    'g.bind(«call-arguments:questoin»="x")',
  ],
  'an unknown gen parameter': [body('s += gen("a", «call-arguments:max_token»=3)')],
  'None appended': [body('s += «invalid-append:None»')],
  'a number appended': [body('s += «invalid-append:5»')],
  'a number added to an expression': [body('s += "a" + gen("b") + «invalid-append:3»')],
  'text appended to all forks': [
    body('forks = s.fork(2)\nforks += «invalid-append:"Go:"»\nforks.join()'),
  ],
  'bytes, a length, a list and a state appended': [
    body(
      's += «invalid-append:b"x"»\ns += «invalid-append:len(q)»\ns += «invalid-append:[user(q), assistant(gen("a"))]»\ns += «invalid-append:f("x")»',
    ),
  ],
  'a list and a number in a message': [
    body(
      's += user(«invalid-append:[image(q), "what is it?"]»)\nwith s.assistant(): s += gen("a")\ns.user(«invalid-append:5»)',
    ),
  ],
  'the list of a join appended': [
    body(
      'forks = s.fork(2)\nforks += gen("a")\nforks.join()\ns += «invalid-append:s["a"]»\ns += user(«invalid-append:s["a"]»)\ns += s["a"][0]',
    ),
  ],
  'messages that are not appended': [
    body(
      '«not-appended:sgl.user(q)»\n«not-appended:"So " + assistant(gen("a")) + "."»\ns.user(q)\nwith s.assistant():\n    «not-appended:gen("b")»',
    ),
  ],
  'a gen that a helper does not append': [
    'def ask(s):\n    «not-appended:user("x")»\n    return gen("b")',
    body('s += ask(s)'),
  ],
  'gens inside formatted text': [
    body(
      `s += f"{q} is {«gen-in-fstring:gen('a')»} or {«gen-in-fstring:select('b', ['x'])»!r}"\ns += "%s" % «gen-in-fstring:gen("c")»\ns += "{} {}".format(q, «gen-in-fstring:gen("d")»)\nx = user("%s %s" % «gen-in-fstring:(q, gen("e"))»)`,
    ),
  ],
  'a gen formatted before it is appended': [
    body(
      `answer = gen("a")\nprint(f"adding {answer}")\ntext = f"So {«gen-in-fstring:answer»}"\ns += text`,
    ),
  ],
  'a message appended twice': [body('s += «appended-twice:s.user("x")»')],
  'a name that only one of two programs sets': [
    body('s += gen("a")'),
    '@function\ndef g(s, q):\n    s += gen("b")\nh = f if input() else g\nst = h.run(q="x")\nprint(st[«maybe-unset:"a"»], st[«unknown-variable:"c"»])',
  ],
  'an unknown join mode': [
    body('forks = s.fork(2)\nforks += gen("a")\nforks.join(«invalid-join-mode:"gather"»)'),
  ],
  'a key the schema does not have': [
    body(
      `s += gen("a", json_schema='{"type": "object", "properties": {"name": {"type": "string"}}}')`,
    ),
    'd = json.loads(f.run()["a"])\nprint(d[«unknown-json-key:"nam"»])',
  ],
  'a traced value in an f-string': [
    body('s += gen("a")\ns += f"so {s[«traced-value-in-fstring:\'a\'»]}"'),
    'f.trace()',
  ],
  'a traced value in a long f-string, and one that is only printed': [
    body(
      `s += gen("a")\nprint(f"now {s['a']}")\ns += f"""so\n{s[«traced-value-in-fstring:'a'»]} and"""`,
    ),
    'f.trace()',
  ],
  'a gen that nobody reads': [
    body('s += gen("a")\ns += gen(«unused-gen:"b"»)'),
    'print(f.run()["a"])',
  ],
};

describe('seeded mistakes', () => {
  for (const [title, cells] of Object.entries(mistakes))
    it(`finds ${title}`, () => void checkDiagnostics(...cells));
});
