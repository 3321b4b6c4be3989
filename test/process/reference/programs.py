"""Programs for two frontends: SGLang's own and this project's. Each case prints what the program saw.

Imported by either frontend's `sglang`; `run(url, emit)` is called with a server that records. A case
begins with a request to `/test/<name>`, so that the recording can be cut at it.
"""

import asyncio
import enum
import json
import random
import warnings

import sglang as sgl
from sglang import *  # noqa: F403
from sglang import utils

warnings.simplefilter("ignore")
CASES = []


def case(work):
    CASES.append((work.__name__, work))
    return work


def seen(state, *names):
    """What a caller can read of a state that is done."""
    state.sync()
    values = {}
    for name in names:
        try:
            values[name] = state[name]
        except KeyError:
            values[name] = "KeyError"
    error = state.error()
    return {
        "text": state.text(),
        "messages": state.messages(),
        "values": values,
        "error": None if error is None else type(error).__name__,
    }


def raised(work):
    try:
        return work()
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)


# ------------------------------------------------------------------ gens and their parameters


@case
def gen_positional():
    @function
    def p(s):
        s += "a" + gen("x", 7, 2, "END", [3], 0.5, 0.9, 4, 0.1, 0.2, 0.3, True, True, 0, 2, True)

    return seen(p.run(), "x")


@case
def gen_typed_helpers():
    @function
    def p(s):
        s += "a" + gen_int("i", 7, "END", [3], 0.5, 0.9, 4) + gen_string("t", max_tokens=9, stop=["a", "b"])

    return seen(p.run(), "i", "t")


@case
def gen_choices_ignore_the_rest():
    @function
    def p(s):
        s += "The capital of France is" + gen("c", max_tokens=3, stop="x", choices=[" Paris", " London"], regex="a")

    return seen(p.run(), "c")


@case
def gen_empty_choices():
    @function
    def p(s):
        s += "a" + gen("c", choices=[])

    return seen(p.run(), "c")


@case
def gen_schema_and_constants():
    from sglang.lang.ir import REGEX_BOOL, REGEX_FLOAT, REGEX_INT, REGEX_STR

    @function
    def p(s):
        with s.var_scope("json"):
            s += '{"name": ' + gen(regex=REGEX_STR, stop=[" ", "\n"]) + ', "n": ' + gen(regex=REGEX_INT, temperature=0)
            s += ', "f": ' + gen(regex=REGEX_FLOAT) + ', "b": ' + gen(regex=REGEX_BOOL) + "}"
        s += gen("o", json_schema=json.dumps({"type": "object"}))

    return seen(p.run(temperature=0.2), "json", "o")


@case
def run_defaults_and_overrides():
    @function
    def p(s):
        s += user("q") + assistant(gen("a") + gen("b", max_tokens=1, temperature=0, stop="Z", top_k=1))

    unlimited = seen(p.run(max_new_tokens=None), "a", "b")
    return [seen(p.run(max_new_tokens=9, stop=["A", "B"], temperature=0.7, top_p=0.5, ignore_eos=True), "a", "b"), unlimited]


@case
def logprobs_of_a_gen():
    @function
    def p(s):
        s += "hello there" + gen("x", return_logprob=True, top_logprobs_num=0, logprob_start_len=0)

    return sorted(p.run().get_meta_info("x"))


@case
def select_without_a_prompt():
    @function
    def p(s):
        s += select("c", ["a", "b"])

    return seen(p.run(), "c")


@case
def three_choice_methods():
    def decide(method):
        @function
        def p(s):
            s += "The capital of France is"
            s += select("c", [" Paris", " London town", " a big place"], choices_method=method)

        state = p.run()
        return [state["c"], state.get_meta_info("c")["normalized_prompt_logprobs"]]

    return [decide(token_length_normalized), decide(greedy_token_selection)]


@case
def an_own_choice_method():
    from sglang.lang.choices import ChoicesDecision, ChoicesSamplingMethod

    asked = []

    class Worst(ChoicesSamplingMethod):
        def __call__(
            self,
            *,
            choices,
            normalized_prompt_logprobs,
            input_token_logprobs,
            output_token_logprobs,
            unconditional_token_logprobs=None,
        ):
            asked.append([choices, normalized_prompt_logprobs, input_token_logprobs, output_token_logprobs])
            worst = min(range(len(choices)), key=normalized_prompt_logprobs.__getitem__)
            return ChoicesDecision(decision=choices[worst], meta_info={"of": len(choices)})

    def other(**evidence):
        raise LookupError("no decision")

    other.requires_unconditional_logprobs = False

    @function
    def p(s, method):
        s += "The capital of France is" + select("c", [" Paris", " London town", " Rome"], choices_method=method)
        s += "." + gen("g") + gen("d", choices=[" a b", " c d"], choices_method=method)

    state = p.run(Worst())
    return [seen(state, "c", "g", "d"), state.get_meta_info("c"), asked, seen(p.run(other), "c"), repr(p.run(other).error())]


# ------------------------------------------------------------------ roles and templates


@case
def roles_in_every_form():
    @function
    def p(s):
        s += system("Be brief.")
        s += user_begin() + "one" + user_end()
        s += assistant(gen("a"))
        with s.user():
            s += "two "
            s += "three"
        with s.assistant():
            s += "So: "
            s += gen("b", stop="\n")
        s.user("four")
        s += assistant("five" + gen("c"))

    return seen(p.run(), "a", "b", "c")


@case
def text_outside_of_roles():
    @function
    def p(s):
        s += "before "
        s += user("q")
        s += " between "
        s += assistant(gen("a"))
        s += " after"

    return seen(p.run(), "a")


@case
def empty_roles():
    @function
    def p(s):
        s += system() + user("") + assistant(gen("a"))

    return seen(p.run(), "a")


@case
def other_templates():
    from sglang.lang.chat_template import get_chat_template

    @function
    def p(s):
        s += system("S") + user("U") + assistant(gen("a"))
        s += user("V") + assistant(gen("b"))

    backend = RuntimeEndpoint(URL)
    found = {}
    for name in ("llama-3-instruct", "llama-2-chat", "vicuna_v1.1", "gemma-it", "claude", "default", "deepseek-v3"):
        backend.chat_template = get_chat_template(name)
        found[name] = seen(p.run(backend=backend), "a", "b")
    return found


@case
def a_registered_template():
    from sglang.lang.chat_template import ChatTemplate, get_chat_template, register_chat_template

    roles = {"system": ("<s>", "</s>"), "user": ("<u>", "</u>"), "assistant": ("<a>", "</a>")}
    register_chat_template(
        ChatTemplate(name="mine", default_system_prompt="D", role_prefix_and_suffix=roles, stop_str=("</a>",))
    )
    backend = RuntimeEndpoint(URL, chat_template_name="mine")

    @function
    def p(s):
        s += user("U") + assistant(gen("a", stop="x"))

    return [seen(p.run(backend=backend), "a"), get_chat_template("mine").get_prompt([{"role": "user", "content": "u"}])]


@case
def templates_of_model_paths():
    from sglang.lang.chat_template import get_chat_template_by_model_path

    paths = """deepseek-ai/DeepSeek-V3 deepseek-ai/DeepSeek-R1 deepseek-ai/DeepSeek-V3-Base databricks/dbrx-instruct
    lmsys/vicuna-7b-v1.5 liuhaotian/llava-v1.5-7b lmms-lab/LLaVA-NeXT-Video-7B meta-llama/Llama-2-7b-chat-hf
    mistralai/Mistral-7B-Instruct-v0.3 mistralai/Mixtral-8x7B-Instruct-v0.1 codellama/CodeLlama-7b-Instruct-hf
    meta-llama/Meta-Llama-3-8B-Instruct meta-llama/Llama-3.1-8B-Instruct meta-llama/Meta-Llama-3-8B
    TinyLlama/TinyLlama-1.1B-Chat-v1.0 Qwen/Qwen2.5-1.5B-Instruct Qwen/Qwen-7B-Chat Qwen/Qwen2.5-1.5B
    liuhaotian/llava-v1.6-34b llava-v1.6-yi-34b lmms-lab/LLaVA-NeXT-Video-34B lmms-lab/llava-onevision-qwen2-7b-ov-chat
    01-ai/Yi-VL-6B 01-ai/Yi-1.5-9B-Chat google/gemma-2b-it google/gemma-2-9b-it google/gemma-7b
    CohereForAI/c4ai-command-r-v01 ibm-granite/granite-3.0-8b-instruct lmms-lab/llama3-llava-next-8b gpt2
    microsoft/Phi-3-mini-4k-instruct gpt-4o""".split()
    return {path: get_chat_template_by_model_path(path).name for path in paths}


@case
def an_own_template_rule():
    from sglang.lang import chat_template as templates

    def rule(model_path):
        return templates.get_chat_template("gemma-it") if "wonder" in model_path else None

    templates.register_chat_template_matching_function(rule)
    paths = ("lab/wonder", "lab/other", "lab/wonder-vicuna")
    return [templates.get_chat_template_by_model_path(path).name for path in paths]


# ------------------------------------------------------------------ states, forks, variables


@case
def forks_gather():
    @function
    def p(s, n):
        s += "Tips: "
        s["before"] = "kept"
        s.sync()
        forks = s.fork(n)
        for i, f in enumerate(forks):
            f += f"tip {i}" + gen("tip", max_tokens=4)
            f["index"] = i
            f["before"] = "changed"
        forks.join()
        s += "".join(f["tip"] for f in forks) + gen("end")

    return seen(p.run(n=3), "tip", "index", "before", "end")


@case
def forks_nested():
    @function
    def p(s):
        s += "a"
        s.sync()
        outer = s.fork(2)
        for i, f in enumerate(outer):
            f += str(i)
            f.sync()
            inner = f.fork(2)
            inner += lambda j: f"{j}" + gen("x")
            inner.join()
        outer.join()

    return seen(p.run(), "x")


@case
def forks_by_list_and_select():
    @function
    def p(s):
        s += "q"
        s.sync()
        forks = s.fork(2)
        forks += ["A", "B"]
        forks += " then " + gen("g") + select("c", ["x", "y"])
        forks.join()

    return seen(p.run(), "g", "c")


@case
def fork_of_one_and_copy():
    @function
    def p(s):
        s += "p"
        one = s.fork(1)[0]
        one += "inner" + gen("v")
        with s.copy() as t:
            t += "copied" + gen("w")
        s += one["v"] + gen("z")

    return seen(p.run(), "v", "w", "z")


@case
def variables_and_scopes():
    @function
    def p(s):
        s["given"] = "x"
        with s.var_scope("outer"):
            s += "1"
            with s.var_scope("inner"):
                s += "2" + gen("g")
            s += "3"
        s += s["outer"] + s["inner"]
        s["has"] = "given" in s and "nope" not in s

    return seen(p.run(), "given", "outer", "inner", "g", "has", "nope")


@case
def unnamed_and_repeated_names():
    @function
    def p(s):
        s += "a" + gen("x", max_tokens=1)
        first = s["x"]
        s += "b" + gen("x", max_tokens=2)
        s["first"] = first

    return seen(p.run(), "x", "first")


@case
def names_of_all_kinds():
    names = ["it's", 'a "quoted" one', "two\nlines", "ключ", "日本", "", " ", "__class__", "a\\b"]

    @function
    def p(s):
        for name in names:
            s += "." + gen(name, max_tokens=1)

    return seen(p.run(), *names)


@case
def text_of_enumerations():
    class Word(str, enum.Enum):
        A = "alpha"

    @function
    def p(s, word):
        s += word
        s += gen("a") + word
        s += "x" + select("c", [word, "beta"])

    return seen(p.run(Word.A), "a", "c")


@case
def text_of_all_kinds():
    @function
    def p(s, text):
        s += user(text) + assistant(gen("a"))

    texts = ("{}%s", "\u2028\u0000", "👩‍🚀", "<|im_end|>", "a\r\nb", "'\"\\", "\ufeffa", "\x1f\x85\u3000\ta \n")
    return [seen(p.run(text=t), "a") for t in texts]


# ------------------------------------------------------------------ programs that call programs


@case
def programs_in_programs():
    @function
    def expand(s, tip):
        s += "Expand " + tip + gen("detail", max_tokens=5)

    @function
    def p(s):
        s += "t" + gen("t1")
        details = [expand(tip=s["t1"]), expand(tip="fixed")]
        s += "".join(d["detail"] for d in details) + gen("sum")

    return seen(p.run(), "t1", "sum")


@case
def recursion():
    @function
    def down(s, depth):
        s += f"{depth}" + gen("g")
        if depth > 0:
            s += down(depth=depth - 1)["g"]
        return depth

    state = down.run(depth=5)
    return [seen(state, "g"), state.ret_value]


@case
def react_loop():
    @function
    def p(s, question):
        s += "Q: " + question + "\n"
        for i in range(3):
            s += f"Thought {i}:" + gen(f"thought{i}", stop=["\n"]) + f"\nAction {i}:"
            s += select(f"action{i}", ["Search", "Finish"])
            if s[f"action{i}"] == "Finish":
                break
            s += "[" + gen(stop="]") + "]\n"
        s += "Answer:" + gen("answer", stop="]")

    return seen(p.run(question="Who?"), "thought0", "action0", "answer")


@case
def bound_programs():
    @function
    def p(s, a, b, c="C"):
        s += a + b + c + gen("x")

    return [
        seen(p.bind(a="A").run(b="B"), "x"),
        seen(p.bind(a="A", b="B")(), "x"),
        seen(p("1", "2"), "x"),
        p.arg_names,
        raised(lambda: p.run(a="A").text()).split(":")[0],
    ]


# ------------------------------------------------------------------ batches and streams


@case
def batch_with_control_flow():
    @function
    def p(s, i):
        s += f"{i}:" + gen("x", max_tokens=2)
        if i % 2:
            s += "odd" + gen("y", max_tokens=3)
        else:
            s += select("y", ["e", "f"])

    return [seen(s, "x", "y") for s in p.run_batch([{"i": i} for i in range(9)], num_threads=4, temperature=0)]


@case
def batch_of_tuples_and_generator():
    @function
    def p(s, a, b="B"):
        s += a + b + gen("x")

    tuples = [s.text() for s in p.run_batch([("1",), ("2",)])]
    lazily = [s.text() for s in p.run_batch([("1", "x"), ("2", "y")], generator_style=True, progress_bar=True)]
    return [tuples, lazily]


@case
def batch_with_a_failing_item():
    @function
    def p(s, i):
        s += str(i) + gen("x")
        if i == 37:
            raise ValueError("item 37")

    return raised(lambda: p.run_batch([{"i": i} for i in range(100)]))


@case
def streams():
    @function
    def p(s):
        s += user("q") + assistant("So" + gen("a") + "." + gen("b", max_tokens=2))

    whole = "".join(p.run(stream=True).text_iter())
    state = p.run(stream=True)
    parts = ["".join(state.text_iter("a")), "".join(state.text_iter("b"))]
    not_streamed = list(p.run().text_iter("a"))

    async def read():
        streamed = p.run(stream=True)
        return "".join([piece async for piece in streamed.text_async_iter("b")])

    return [whole, parts, not_streamed, asyncio.run(read())]


# ------------------------------------------------------------------ errors


@case
def a_refused_gen():
    utils.http_request(URL + "/test-fail", json={"status": 400, "body": {"error": {"message": "no"}}})

    @function
    def p(s):
        s += "a" + gen("x")

    state = p.run()
    result = [seen(state, "x"), state.get_meta_info("x"), "x" in state]
    utils.http_request(URL + "/test-fail", json=None or {})
    return result


@case
def errors_of_the_language():
    def with_state(work):
        @function
        def p(s):
            s += "t"
            s.sync()
            work(s)

        return raised(lambda: p.run().text())

    return [
        # Python 3.13 gave `re.error` another name.
        raised(lambda: gen("x", regex="[")).replace("PatternError", "error"),
        raised(lambda: function(lambda a: None)),
        with_state(lambda s: s.__iadd__(None)),
        with_state(lambda s: s.fork(2).join("what")),
        with_state(lambda s: s.fork(2).__iadd__("text")),
        with_state(lambda s: s["unknown"]),
        with_state(lambda s: 1 / 0),
        raised(lambda: gen("x") + 3).split(":")[0],
        raised(lambda: "a" + gen("x") + None).split(":")[0],
    ]


# ------------------------------------------------------------------ what programs print


@case
def representations():
    from sglang.lang.ir import SglRoleBegin, SglRoleEnd

    expressions = [gen("x"), select("c", ["a"]), user_begin(), user_end(), "a" + gen("y"), system("s"), image("p.png")]
    shown = [repr(e) for e in expressions]

    @function
    def p(s):
        s += "a" + gen("x")

    return [shown[:1] + shown[2:], repr(p.run()), SglRoleBegin("r").role, SglRoleEnd("r").role]


@case
def what_expressions_consist_of():
    from sglang.lang import ir

    block = "a" + gen("x", 5, stop=["s"], dtype=int) + select("c", ["u", "v"]) + user("q") + image("p")
    kinds = [type(part).__name__ for part in block.expr_list]
    constant, one, choice, begin = block.expr_list[:4]
    names = """SglArgument SglCommitLazy SglConcateAndAppend SglConstantText SglExpr SglExprList SglFork SglFunction SglGen
    SglGetForkItem SglImage SglRoleBegin SglRoleEnd SglSamplingParams SglSelect SglVarScopeBegin SglVarScopeEnd
    SglVariable SglVideo REGEX_BOOL REGEX_FLOAT REGEX_INT REGEX_STR""".split()
    missing = [name for name in names if not hasattr(ir, name)]
    parts = [constant.value, one.name, one.sampling_params.max_new_tokens, one.sampling_params.stop, choice.choices]
    shown = [repr(ir.SglCommitLazy()), repr(ir.SglConcateAndAppend(["s"])), repr(ir.SglArgument("a", "v"))]
    subclasses = [issubclass(getattr(ir, name), ir.SglExpr) for name in names[:13] if name != "SglFunction"]
    argument = ir.SglArgument("a", "text")
    opened = [len(argument), argument[1:3], raised(lambda: f"{argument}")]
    return [kinds, missing, parts, begin.role, one.sampling_params.temperature, shown, subclasses, opened]


@case
def sampling_parameters_as_an_object():
    from sglang.lang.ir import SglSamplingParams

    params = SglSamplingParams(max_new_tokens=9, stop=["X"], temperature=0.5, top_k=3)
    other = params.clone()
    other.temperature = 0.1
    forms = [params.to_openai_kwargs(), params.to_vertexai_kwargs(), params.to_anthropic_kwargs()]
    return [params.temperature, other.max_new_tokens, *forms, params.to_litellm_kwargs(), params.to_srt_kwargs()]


@case
def the_functions_behind_run():
    from sglang.lang.interpreter import (
        ProgramState,
        ProgramStateGroup,
        StreamExecutor,
        cache_program,
        run_internal,
        run_program,
        run_program_batch,
    )
    from sglang.lang.ir import SglSamplingParams

    none = {"logprob_start_len": None, "top_logprobs_num": None, "return_text_in_logprobs": None}
    params = SglSamplingParams(max_new_tokens=9, stop=["X"], temperature=0.5, stop_token_ids=[], **none)
    backend = RuntimeEndpoint(URL)

    @function
    def p(s, q, extra="e"):
        s += user(q + extra) + assistant(gen("a", temperature=0.1) + gen("b"))
        return isinstance(s, ProgramState)

    def kinds(state):
        group = state.fork(1)
        return [isinstance(each, kind) for each, kind in ((state, ProgramState), (group, ProgramStateGroup))]

    one = run_program(p, backend, ("q",), {"extra": "!"}, params, False, sync=True)
    streamed = run_program(p, backend, ("q",), {}, params, True)
    text = "".join(streamed.text_iter())
    many = run_program_batch(p, backend, [{"q": "1"}, {"q": "2"}], params, 1, False)
    lazy = run_program_batch(p, backend, [{"q": "3"}], params, "auto", False, True)
    executor = StreamExecutor(backend, {}, params, None, False)
    state = ProgramState(executor)
    run_internal(state, p, ("z",), {}, True)
    cache_program(p, backend)
    own = StreamExecutor(backend, {}, params, None, False)
    own.submit("text" + gen("x"))
    (child,) = own.fork(1)
    child.submit(gen("y"))
    values = [own.get_var("x"), child.get_var("y"), child.text(), own.messages(), own.error()]
    own.end()
    child.end()
    found = [seen(each, "a", "b") for each in [one, *many, *lazy, state]]
    return [found, text, kinds(one), [each.ret_value for each in (one, *many)], values, isinstance(executor, StreamExecutor)]


@case
def traces_are_states():
    from sglang.lang.interpreter import ProgramState

    kinds = []

    @function
    def p(s, q):
        kinds.append(isinstance(s, ProgramState))
        s += "a" + q + gen("x")

    p.trace()
    return [kinds, len(p.trace().flatten_nodes())]


@case
def traced_graph():
    @function
    def p(s, q):
        s += system("S") + user("Q: " + q)
        s += assistant(gen("a"))
        s += user("and") + assistant(gen("b"))

    return p.trace(q="hi").last_node.print_graph_dfs()


@case
def compiled_program():
    @function
    def p(s, q):
        s += "Q: " + q + "\nA:" + gen("a", stop="\n")

    return p.compile().run(q="hello")["a"]


@case
def prefixes_in_the_cache():
    @function
    def long(s, q):
        s += system("This is a rather long system prompt which all of the programs of a batch share.")
        s += user(q) + assistant(gen("a"))

    long.cache()
    return [s["a"] for s in long.run_batch([{"q": "1"}, {"q": "2"}])]


@case
def helpers_of_utils():
    import io
    import os
    import tempfile
    from contextlib import redirect_stdout

    texts = ["a b", "a b ", "line\n", "日", "日a", "a日b", "", "word", "\U00020001x"]
    path = os.path.join(tempfile.mkdtemp(), "x.jsonl")
    with open(path, "w") as out:
        out.write('# comment\n{"a": 1}\n{"b": "ü"}\n')

    @function
    def p(s):
        s += "text" + gen("a")

    dump = path + ".txt"
    utils.dump_state_text(dump, ["plain", p.run()])
    with open(path + ".png", "wb") as out:
        out.write(b"\x89PNG")
    lazy = utils.LazyImport("json", "JSONDecoder")
    with redirect_stdout(io.StringIO()):
        found = [
            [utils.find_printable_text(text) for text in texts],
            list(utils.read_jsonl(path)),
            open(dump).read(),
            utils.encode_image_base64(path + ".png"),
            utils.encode_image_base64(b"bytes"),
            [utils.trim_overlap(*pair) for pair in (("abc", "bcd"), ("abc", "xyz"), ("", "a"), ("aa", "aab"))],
            [utils.is_same_type([1, 2]), utils.is_same_type([1, "a"])],
            lazy().decode("[1]"),
            utils.http_request(URL + "/get_model_info").json(),
            utils.http_request(URL + "/nope").status_code,
        ]
    return found


# ------------------------------------------------------------------ random programs


def random_step(dice, depth):
    """One step of a program as data; both frontends then execute the same data."""
    kinds = ["text", "gen", "gen", "select", "user", "assistant", "scope", "read", "if"]
    if depth < 2:
        kinds += ["fork", "call", "copy"]
    kind = dice.choice(kinds)
    name = dice.choice("vwxyz")
    inner = [random_step(dice, depth + 1) for _ in range(dice.randint(1, 3))] if depth < 3 else []
    options = dice.choice([{}, {"max_tokens": 3}, {"stop": "E"}, {"temperature": 0}, {"regex": "a+"}, {"dtype": int}])
    return {"kind": kind, "name": name, "inner": inner, "options": options, "n": dice.randint(1, 3), "depth": depth}


def execute(s, steps, in_role):
    for step in steps:
        kind, name = step["kind"], step["name"]
        if kind == "text":
            s += f"[{name}] "
        elif kind == "gen":
            s += f"{name}:" + gen(name, **step["options"])
        elif kind == "select":
            s += "pick" + select(name, ["one", "two words", "3"])
        elif kind in ("user", "assistant"):
            if in_role:
                s += kind
            elif step["n"] == 1:
                s += (user if kind == "user" else assistant)(f"{name}?" + gen(name, max_tokens=2))
            else:
                with s.user() if kind == "user" else s.assistant():
                    execute(s, step["inner"], True)
        elif kind == "scope":
            with s.var_scope(f"{name}{step['depth']}"):
                execute(s, step["inner"], in_role)
        elif kind == "read":
            s.sync()
            s += s[name] if name in s and isinstance(s[name], str) else "none"
        elif kind == "if":
            s.sync()
            execute(s, step["inner"] if name in s else [], in_role)
        elif kind == "copy":
            with s.copy() as t:
                execute(t, step["inner"], in_role)
        elif kind == "call":
            s += random_program.run(steps=step["inner"]).text()
        elif kind == "fork":
            s += "f"
            s.sync()
            forks = s.fork(step["n"])
            for f in forks:
                execute(f, step["inner"], in_role)
            forks.join()


@function
def random_program(s, steps):
    s += "begin "
    execute(s, steps, False)


def register_random(seed):
    def work():
        dice = random.Random(seed)
        steps = [random_step(dice, 0) for _ in range(dice.randint(2, 6))]
        return seen(random_program.run(steps=steps), *"vwxyz")

    work.__name__ = f"random_{seed}"
    case(work)


for seed in range(100):
    register_random(seed)


def run(url, emit, guard=raised):
    """Runs every case against the server at `url`; `emit(name, result)` hears of each."""
    global URL
    URL = url
    sgl.set_default_backend(RuntimeEndpoint(url))
    for name, work in CASES:
        utils.http_request(f"{url}/test/{name}")
        emit(name, json.loads(json.dumps(guard(work), default=str)))
    utils.http_request(f"{url}/test/end")
