import { describe, it } from 'vitest';
import { checkDiagnostics } from '../support/check.ts';

/** Programs as SGLang's users write them, each a feature of its conformance list: nothing to report. */
const programs: Readonly<Record<string, readonly string[]>> = {
  'few-shot question answering': [
    `@sgl.function
def few_shot(s, question):
    s += "Q: What is the capital of Peru?\\nA: Lima\\n"
    s += "Q: " + question + "\\nA:" + sgl.gen("answer", stop="\\n", temperature=0)

state = few_shot.run(question="What is the capital of the USA?", max_new_tokens=8)
assert "washington" in state["answer"].strip().lower(), state["answer"]
states = few_shot.run_batch(
    [{"question": "Capital of Japan?"}, {"question": "Capital of the UK?"}],
    temperature=0.1,
    max_new_tokens=8,
)
answers = [s["answer"].strip().lower() for s in states]`,
  ],
  'a conversation with both role styles': [
    `@sgl.function
def chat(s, first, second):
    s += sgl.system("You help.")
    s += sgl.user(first)
    s += sgl.assistant(sgl.gen("answer_1"))
    with s.user():
        s += second
    with s.assistant():
        s += sgl.gen("answer_2")

state = chat.run(first="a", second="b", temperature=0.7, max_new_tokens=64)
assert len(state.messages()) in [4, 5]
print(state["answer_1"], state["answer_2"])`,
  ],
  'select and compare': [
    `@sgl.function
def verdict(s, statement):
    s += "Statement: " + statement + "\\nVerdict: "
    s += sgl.select("answer", ["True", "False", "Unknown"])

def check(expected):
    st = verdict.run(statement="Snow is white.")
    assert st["answer"] in ["True", "False", "Unknown"]
    return st["answer"] == expected`,
  ],
  'integers, converted where they are used': [
    `@sgl.function
def decode_int(s):
    s += "A day has " + sgl.gen_int("hours") + " hours.\\n"
    s += "A year has " + sgl.gen_int("days") + " days.\\n"

r = decode_int.run(temperature=0.1)
assert int(r["hours"]) == 24 and int(r["days"]) == 365`,
  ],
  'JSON by regular expressions in a scope': [
    `from sglang.lang.ir import REGEX_FLOAT, REGEX_INT, REGEX_STR

@sgl.function
def city(s):
    s += "A city as JSON:\\n"
    with s.var_scope("json_output"):
        s += "{\\n"
        s += '  "name": ' + sgl.gen(regex=REGEX_STR) + ",\\n"
        s += '  "population": ' + sgl.gen(regex=REGEX_INT, stop=[" ", "\\n"]) + ",\\n"
        s += '  "latitude": ' + sgl.gen(regex=REGEX_FLOAT) + "\\n"
        s += "}"

ret = city.run(temperature=0)
obj = json.loads(ret["json_output"])
assert isinstance(obj["name"], str)`,
  ],
  'values read inside the program': [
    `@sgl.function
def expert(s, question):
    s += "Question: " + question + "\\n"
    s += "An expert on this is" + sgl.gen("expert", stop=[".", "\\n"]) + "\\n"
    s += s["expert"] + " says: " + sgl.gen("answer", stop="\\n")

print(expert.run(question="Where is the Louvre?", temperature=0.1).text())`,
  ],
  'a tool, evaluated': [
    `@sgl.function
def calculator(s, lhs, rhs):
    s += f"Compute {lhs} * {rhs}: calculate("
    with s.var_scope("call"):
        s += sgl.gen("expression", stop=")")
    with s.var_scope("answer"):
        s += str(eval(s["expression"]))

answer = calculator(lhs=257, rhs=983, temperature=0)["answer"]
assert answer == str(257 * 983)`,
  ],
  'reason and act in a loop': [
    `@sgl.function
def react(s, question):
    s += "Question: " + question + "\\n"
    for i in range(1, 5):
        s += f"Thought {i}: " + sgl.gen(stop=[f"Action {i}", "Observation"])
        s += f"Action {i}: " + sgl.select(f"action_{i}", choices=["Search", "Finish"])
        if s[f"action_{i}"] == "Search":
            s += "[" + sgl.gen(stop="]") + "]\\n"
            s += f"Observation {i}:" + sgl.gen(stop="\\n")
        else:
            s += "[" + sgl.gen("answer", stop="]") + "]\\n"
            break

state = react.run(question="Which country?")
print(state.text())`,
  ],
  'a skeleton expanded in parallel': [
    `@sgl.function
def tips(s, number):
    s += "Give tips on health.\\n1." + sgl.gen("skeleton", stop="\\n")
    forks = s.fork(number)
    for i in range(number):
        forks[i] += f"Expand tip {i + 1} in one paragraph:\\n"
        forks[i] += sgl.gen("detailed_tip", stop=["\\n\\n"])
    forks.join()
    for i in range(number):
        s += f"Tip {i + 1}:" + forks[i]["detailed_tip"] + "\\n"
    s += "In summary" + sgl.gen("summary")

ret = tips.run(number=5, temperature=0.3)
assert isinstance(ret["summary"], str) and len(ret["detailed_tip"]) == 5`,
  ],
  'parallel encoding': [
    `@sgl.function
def encode(s, question, passages):
    forks = s.fork(len(passages))
    forks += lambda i: f"Passage {i}: {passages[i]}\\n"
    forks.join("concate_and_append")
    s += "Question: " + question + sgl.gen("answer")

print(encode.run(question="q", passages=["a", "b", "c"])["answer"])`,
  ],
  'an image and a question': [
    `@sgl.function
def look(s, path, question):
    s += sgl.user(sgl.image(path) + question)
    s += sgl.assistant(sgl.gen("answer"))

state = look.run(path="a.png", question="What is it?", max_new_tokens=64)
print(state.messages()[-1]["content"])`,
  ],
  streaming: [
    `@sgl.function
def qa(s, question):
    s += sgl.system("You help.")
    s += sgl.user(question)
    s += sgl.assistant(sgl.gen("answer"))

state = qa(question="q", stream=True)
for out in state.text_iter():
    print(out)
for out in state.text_iter("answer"):
    print(out, end="")

async def main():
    st = qa.run(question="q", stream=True)
    async for out in st.text_async_iter(var_name="answer"):
        print(out)
    async for out, meta in st.text_async_iter("answer", return_meta_data=True):
        print(meta)`,
  ],
  'every dtype, results stored back': [
    `@sgl.function
def dtypes(s):
    s += "s: " + sgl.gen("str_res", dtype=str, stop="\\n") + "\\n"
    s += "i: " + sgl.gen("int_res", dtype=int) + "\\n"
    s += "f: " + sgl.gen("float_res", dtype=float) + "\\n"
    s += "b: " + sgl.gen("bool_res", dtype=bool) + "\\n"

state = dtypes.run()
state["int_res"] = int(state["int_res"])
state["float_res"] = float(state["float_res"])
if state["bool_res"] == "True":
    print(state["int_res"] + 1)`,
  ],
  'speculative execution': [
    `@sgl.function(num_api_spec_tokens=64)
def character(s, name):
    s += name + " is a character.\\nName:" + sgl.gen("name", stop="\\n") + "\\nBirthday:"
    s += sgl.gen("birthday", stop="\\n") + "\\nJob:" + sgl.gen("job", stop="\\n")

st = character.run(name="Ada")
print(st["name"], st["birthday"], st["job"])`,
  ],
  'a multiple-choice benchmark': [
    `def make(lines, num):
    @sgl.function
    def few_shot_hellaswag(s, question, choices):
        s += "examples" + question
        s += sgl.select("answer", choices=choices)

    arguments = [{"question": l["q"], "choices": l["choices"]} for l in lines[:num]]
    labels = [l["label"] for l in lines[:num]]
    rets = few_shot_hellaswag.run_batch(arguments, temperature=0, num_threads=64, progress_bar=True)
    preds = [arguments[i]["choices"].index(rets[i]["answer"]) for i in range(len(rets))]
    more = []
    for ret in few_shot_hellaswag.run_batch(arguments, generator_style=True):
        more.append(ret["answer"])
    return preds, labels, more`,
  ],
  'helpers that take the state': [
    `def propose(s, question, count):
    s += sgl.user("Propose a plan for: " + question)
    forks = s.fork(count)
    forks += sgl.assistant(sgl.gen("plan", max_tokens=256, temperature=0.7))
    return forks

def execute(s, count):
    s += sgl.user("Execute the plan.")
    forks = s.fork(count)
    forks += sgl.assistant(sgl.gen("answer", max_tokens=256))
    return forks

def reflect(s):
    s += sgl.user("Rate the answer.")
    s += sgl.assistant(sgl.gen("score", max_tokens=8))

@sgl.function
def tree(s, question, count):
    plans = propose(s, question, count)
    for p in plans:
        solutions = execute(p, count)
        for sol in solutions:
            reflect(sol)
        solutions.join()
    plans.join()

st = tree.run(question="1+1?", count=2)
for per_plan in st["answer"]:
    for answer in per_plan:
        print(answer.strip())
print(st["score"][0][0])`,
  ],
  'programs that call programs': [
    `@sgl.function
def expand(s, topic, tip):
    s += f"Tip on {topic}: {tip}\\nParagraph:" + sgl.gen("paragraph", stop=["\\n\\n"])

@sgl.function
def suggest(s, topic):
    s += "Two tips on " + topic + "\\n1." + sgl.gen("tip_1", stop=["\\n"]) + "\\n2." + sgl.gen("tip_2", stop=["\\n"])
    detailed_1 = expand(topic=topic, tip=s["tip_1"])
    detailed_2 = expand.run(topic=topic, tip=s["tip_2"])
    s += detailed_1["paragraph"] + "\\n" + detailed_2["paragraph"]
    s += "Summary:" + sgl.gen("summary")

states = suggest.run_batch([{"topic": t} for t in ["sleep", "food"]], progress_bar=True)
print([s["summary"] for s in states])`,
  ],
  'branch, solve, merge': [
    `dimensions = ["clarity", "style"]

@sgl.function
def judge(s, essay):
    s += sgl.user(essay)
    forks = s.fork(len(dimensions))
    for f, dim in zip(forks, dimensions):
        f += sgl.user("Judge the " + dim)
        f += sgl.assistant("Judgement: " + sgl.gen("judgement", max_tokens=64))
    forks.join()
    s += sgl.user("Merge: " + "\\n".join(s["judgement"]))
    s += sgl.assistant(sgl.gen("grade", choices=["A", "B", "C"]))

grades = [st["grade"] for st in judge.run_batch([{"essay": "x"}])]`,
  ],
  'self-consistency': [
    `@sgl.function
def solve(s, question):
    s += question
    forks = s.fork(5)
    for i in range(5):
        forks[i] += f"Attempt {i}: " + sgl.gen("chain", max_tokens=256, temperature=0.3, stop="Question")
    forks.join()
    s += sgl.gen("final", max_tokens=64)

for st in solve.run_batch([{"question": "q"}], temperature=0):
    answers = [c.split("=")[-1] for c in st["chain"]] + [st["final"]]`,
  ],
  'choose by log probabilities': [
    `@sgl.function
def tool_use(s, question):
    s += "To answer this question: " + question + ", "
    s += "I need a " + sgl.gen("tool", choices=["calculator", "search engine"], choices_method=sgl.greedy_token_selection)

state = tool_use.run("What is 5 + 5?")
meta = state.get_meta_info("tool")
print(state["tool"], meta["input_token_logprobs"][0])`,
  ],
  'chain of thought decoding': [
    `@sgl.function
def cot_decoding(s, question, get_top_k, is_chat_model, verbose):
    if is_chat_model:
        s += sgl.user("Question: " + question + "\\nAnswer:")
        s += sgl.assistant_begin()
    else:
        s += "Question: " + question + "\\nAnswer:"
    step_0 = s.fork(1)[0]
    forks = s.fork(get_top_k)
    step_0 += sgl.gen("get_top_k", max_tokens=0, return_logprob=True, top_logprobs_num=get_top_k)
    logprobs = step_0.get_meta_info("get_top_k")["output_top_logprobs"][0]
    for idx, (f, token) in enumerate(zip(forks, logprobs)):
        logprob, token_id, text = token
        f += text
        f += sgl.gen("answer", temperature=0, max_tokens=1024, return_logprob=True)
        x = f.get_meta_info("answer")["output_token_logprobs"]
        if is_chat_model:
            f += sgl.assistant_end()
        print(str(f), f["answer"])

cot_decoding.run(question="q", get_top_k=10, is_chat_model=True, verbose=False)`,
  ],
  'a pydantic schema': [
    `from pydantic import BaseModel
from sglang.srt.constrained.outlines_backend import build_regex_from_object

class Weapon(BaseModel):
    name: str
    power: int

@sgl.function
def pydantic_gen(s):
    s += "A weapon as JSON: " + sgl.gen("json_output", max_tokens=256, regex=build_regex_from_object(Weapon))

print(pydantic_gen.run()["json_output"])`,
  ],
  'a schema given at run time': [
    `from typing import Tuple

@sgl.function
def json_decode(s, document: str, schema: Tuple):
    s += "Extract: " + document
    s += sgl.gen("json_output", json_schema=schema, max_tokens=512)

outs = json_decode.run_batch([{"document": "d", "schema": "{}"}], temperature=0)
print(json.loads(outs[0]["json_output"]))`,
  ],
  'bind, cache and trace': [
    `@sgl.function
def few(s, prompt, question):
    s += prompt
    s += "Q: " + question + "\\nA:" + sgl.gen("answer")

bound = few.bind(prompt="examples")
bound.cache(sgl.RuntimeEndpoint("http://localhost:30000"))
print(bound.trace().last_node)
print(bound.run(question="q")["answer"])`,
  ],
  'reasoning separated': [
    `@sgl.function
def think(s, question):
    s += sgl.user(question)
    s += sgl.assistant(sgl.separate_reasoning(sgl.gen("answer", max_tokens=1024), model_type="deepseek-r1"))

state = think.run(question="q")
print(state["answer"], state["answer_reasoning_content"])`,
  ],
  'agents in dictionaries': [
    `@sgl.function
def greet(s, name):
    s += "Hello " + name + sgl.gen("reply")

@sgl.function
def part(s, name):
    s += "Bye " + name + sgl.gen("farewell")

functions = {"greet": greet, "part": part}
for call in [{"f": "greet", "name": "x"}]:
    state = functions[call.pop("f")].run(**call)
    state.sync()`,
  ],
  'names made from data': [
    `@sgl.function
def fill(s, fields):
    for field in fields:
        s += field + ": " + sgl.gen(field, stop="\\n") + "\\n"
    print(s["name"])

st = fill.run(fields=["name", "age"])
print(st["age"])`,
  ],
  'a multi-turn loop with a condition': [
    `@sgl.function
def multi(s, qas):
    for i, qa in enumerate(qas):
        s += qa["prompt"]
        s += sgl.gen(max_tokens=qa["new_tokens"], ignore_eos=True)

multi.run_batch([{"qas": []}], temperature=0, num_threads=4)`,
  ],
  'both branches set it': [
    `@sgl.function
def route(s, q):
    s += sgl.gen("kind", choices=["math", "text", "code"])
    if s["kind"] == "math":
        s += sgl.gen("solution", regex=r"[0-9]+")
    elif s["kind"] == "text":
        s += sgl.gen("solution")
    else:
        s += sgl.gen("code") + sgl.gen("solution")
    print(s["solution"])
    if s["kind"] == "code":
        print(s["code"])`,
  ],
  'the same condition twice': [
    `@sgl.function
def maybe_cot(s, q, use_cot=False):
    if use_cot:
        s += sgl.gen("thoughts")
    s += sgl.gen("answer")
    if use_cot:
        s += "because " + s["thoughts"]

@sgl.function
def early(s, q):
    s += sgl.gen("kind", choices=["a", "b"])
    if s["kind"] == "a":
        return
    s += sgl.gen("more")
    s += s["more"]`,
  ],
  'membership tests': [
    `@sgl.function
def optional(s, q):
    if q:
        s += sgl.gen("extra")
    if "extra" in s:
        print("has it")

st = optional.run(q="")
if "extras" in st:
    pass`,
  ],
  'reads behind a membership test or a handler': [
    `@sgl.function
def optional(s, q):
    if q:
        s += sgl.gen("extra")
    if "extra" in s:
        print(s["extra"])
    print(s["extra"] if "extra" in s else "")
    if "other" not in s:
        return
    print(s["other"])

st = optional.run(q="")
try:
    print(st["extra"], st["missing"])
except KeyError:
    pass`,
  ],
  'values that come and go through Python': [
    `from concurrent.futures import ThreadPoolExecutor

@sgl.function
def ask(s, q, depth=0):
    s += q + sgl.gen("answer")
    s["score"] = float(s["answer"])
    if s["score"] > 0.5:
        s += "good"
    if depth > 0:
        sub = ask.run(q=q, depth=depth - 1)
        s += sub["answer"]

st, other = ask.run(q="a"), ask("b")
print(max([st, other], key=lambda each: len(each["answer"]))["answer"])
with ThreadPoolExecutor() as pool:
    outs = list(pool.map(lambda q: ask.run(q=q), ["a"]))
    print([o["answer"] for o in outs])
kept = {}
for key in ["a", "b"]:
    kept[key] = ask.run(q=key)
print(kept["a"]["answer"])
many = []
for i in range(100):
    many.append(ask.run(q=str(i)))
print(many[0]["answer"])`,
  ],
  'a list of choices that grows': [
    `CHOICES = ["x", "y"]
CHOICES.append("z")

@sgl.function
def pick(s, options):
    s += sgl.gen("a", choices=CHOICES) + sgl.gen("b", choices=["w"] + options)
    if s["a"] == "z" or s["b"] == "q":
        s += "!"`,
  ],
  'a loop until it is right': [
    `@sgl.function
def guess(s, limit):
    while True:
        s += sgl.gen("guess", regex=r"\\d{1,3}")
        s += sgl.select("verdict", choices=["right", "wrong"])
        if s["verdict"] == "right":
            break
    print(s["guess"])`,
  ],
  'methods and closures': [
    `class Agent:
    def __init__(self, name):
        self.name = name

    def ask(self, question):
        @sgl.function
        def inner(s, question):
            s += sgl.user(f"{self.name}: {question}")
            s += sgl.assistant(sgl.gen("reply"))
        return inner.run(question=question)

agent = Agent("Ada")
print(agent.ask("hi")["reply"])`,
  ],
  'a program in a class': [
    `class Programs:
    @sgl.function
    def qa(s, question):
        s += question + sgl.gen("answer")

print(Programs.qa.run(question="x")["answer"])`,
  ],
  'the command line of a benchmark': [
    `import argparse, time
from sglang.api import set_default_backend
from sglang.test.test_utils import add_common_sglang_args_and_parse, select_sglang_backend
from sglang.utils import dump_state_text, read_jsonl

def main(args):
    lines = list(read_jsonl(args.data))[: args.num]
    arguments = [{"question": l["question"]} for l in lines]

    @sgl.function
    def few_shot_gsm8k(s, question):
        s += question + sgl.gen("answer", max_tokens=512, stop=["Question", "Assistant:", "<|separator|>"])

    backend = select_sglang_backend(args)
    states = few_shot_gsm8k.run_batch(arguments, temperature=0, backend=backend, num_threads=args.parallel, progress_bar=True)
    preds = [states[i]["answer"] for i in range(len(states))]
    tokens = sum(s.get_meta_info("answer")["completion_tokens"] for s in states)
    dump_state_text("out.txt", states)
    return preds, tokens

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    main(add_common_sglang_args_and_parse(parser))`,
  ],
  'cells out of order': [
    'st = later.run(q="x")',
    '@sgl.function\ndef later(s, q):\n    s += q + sgl.gen("a")',
    'print(st["a"])',
  ],
  'shell lines and magics': [
    '!pip install sglang\n%time x = 1\nfiles = !ls\nprint(files)',
    '%%bash\necho "hi',
  ],
  'a suppressed finding': [
    '@function\ndef f(s):\n    s += gen("a")',
    'f.run()["b"]  # sglang: ignore[unknown-variable]\nf.run()["c"]  # sglang: ignore',
  ],
  'unknown code that gets the state': [
    `from elsewhere import decorate, build

@sgl.function
def f(s, q):
    decorate(s)
    s += build(q)
    print(s["who_knows"])`,
  ],
};

describe('programs as users write them', () => {
  for (const [title, cells] of Object.entries(programs)) {
    it(`finds nothing wrong in ${title}`, () => void checkDiagnostics(...cells));
  }
});
