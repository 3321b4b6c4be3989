"""Ports of the self-contained programs of SGLang's `benchmark/` folder; plain Python, numpy where it is.

Each runs on any backend with a few rows of its own data, and asserts only what holds for every model.
"""

import json
import re

import sglang as sgl
from sglang import *  # noqa: F403

try:
    import numpy as np
except ImportError:  # the bundled Python has none
    np = None


def most_frequent(values):
    if np is not None:
        found, counts = np.unique(values, return_counts=True)
        return found[np.argmax(counts)]
    return max(sorted(set(values)), key=values.count)


# ------------------------------------------------------------------ tip suggestion (skeleton of thought)


@sgl.function
def expand_tip(s, topic, tip):
    s += "Please expand a tip for a topic into a detailed paragraph.\n\nTopic: " + topic + "\nTip: " + tip
    s += "\nParagraph:" + sgl.gen("paragraph", max_tokens=12, stop=["\n\n"], temperature=0)


@sgl.function
def suggest_tips(s, topic):
    s += "Please act as a helpful assistant. USER: Give some tips for: " + topic + "\nASSISTANT: 1."
    s += sgl.gen("skeleton", max_tokens=12, temperature=0)
    tips = [tip.strip() for tip in re.split(r"\d\.", s["skeleton"])][:2] or ["rest"]
    paragraphs = [expand_tip(topic=topic, tip=tip) for tip in tips]
    for i, paragraph in enumerate(paragraphs):
        s += f"Tip {i + 1}:" + paragraph["paragraph"] + "\n"


def tip_suggestion():
    states = suggest_tips.run_batch([{"topic": topic} for topic in ("sleeping", "travel")], num_threads=2)
    assert all("Tip 1:" in state.text() for state in states)


# ------------------------------------------------------------------ LLM judge (branch, solve, merge)

DIMENSIONS = ["Clarity", "Originality", "Evidence"]


@sgl.function
def judge(s, article):
    s += "Please judge the following article.\n" + article + "\n"
    forks = s.fork(len(DIMENSIONS))
    for f, dimension in zip(forks, DIMENSIONS):
        f += f"\nUSER: Judge its {dimension}.\nASSISTANT:" + sgl.gen("judgment", max_tokens=10, stop="\n")
    forks.join()
    s += "".join(f"{d}: {j}\n" for d, j in zip(DIMENSIONS, s["judgment"]))
    s += "The final score is " + sgl.gen("score", dtype=int, max_tokens=2)


def llm_judge():
    states = judge.run_batch([{"article": text} for text in ("Cats sleep.", "Dogs bark.")], num_threads=2)
    assert all(len(s["judgment"]) == 3 and re.match(r"[-+]?\d", s["score"]) for s in states)


# ------------------------------------------------------------------ ReAct (replayed)


@sgl.function
def replayed(s, question, triplets):
    s += "Question: " + question
    for i, (thought, action, observation) in enumerate(triplets, 1):
        s += f"\nThought {i}:" + sgl.gen(f"thought{i}", max_tokens=6, stop=["Observation", "\n"])
        ss = s.fork(1)
        ss[0] += " " + thought + sgl.gen("aside", max_tokens=2)
        ss.join()
        s += f"\nAction {i}: {action}\nObservation {i}: {observation}"


def react():
    triplets = [("I search.", "Search[x]", "Found x."), ("I finish.", "Finish[x]", "Done.")]
    states = replayed.run_batch([{"question": f"Who is {i}?", "triplets": triplets} for i in range(2)])
    assert all(s.text().endswith("Observation 2: Done.") and len(s["aside"]) == 1 for s in states)


# ------------------------------------------------------------------ JSON decoding

CHARACTER = r"""\{"name": "[\w ]{1,12}", "house": "(Gryffindor|Slytherin)", "age": [0-9]{1,2}\}"""
CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]}


@sgl.function
def character(s, name):
    s += name + " is a character in Harry Potter.\n"
    s += sgl.gen("json", max_tokens=80, temperature=0, regex=CHARACTER)


@sgl.function
def city(s, name):
    s += "Answer with JSON about " + name + ".\n" + sgl.gen("json", max_tokens=60, json_schema=json.dumps(CITY))


@sgl.function
def typed(s):
    with s.var_scope("json_output"):
        s += '{"name": ' + sgl.gen(regex=r'"[a-z]{1,6}"', max_tokens=10) + ', "population": '
        s += sgl.gen(dtype=int, max_tokens=4) + ', "capital": "' + sgl.select(choices=["yes", "no"]) + '"}'


def json_decoding():
    for state in character.run_batch([{"name": "Harry"}, {"name": "Ron"}]):
        assert set(json.loads(state["json"])) == {"name", "house", "age"}
    assert "city" in json.loads(city.run(name="Rome")["json"])
    assert isinstance(json.loads(typed.run(temperature=0)["json_output"])["name"], str)


# ------------------------------------------------------------------ multi-turn chat, MT-bench


@sgl.function
def turns(s, questions):
    for i, question in enumerate(questions):
        s += user(question) + assistant(gen(max_tokens=6, ignore_eos=True))


@sgl.function
def two_turns(s, question_1, question_2):
    s += sgl.system()
    s += sgl.user(question_1)
    s += sgl.assistant(sgl.gen("answer_1", max_tokens=8))
    s += sgl.user(question_2)
    s += sgl.assistant(sgl.gen("answer_2", max_tokens=8))


def multi_turn():
    states = turns.run_batch([{"questions": ["Hi", "And?", "So?"]} for _ in range(3)], temperature=0)
    assert all(len(s.messages()) in (6, 7) for s in states)
    state = two_turns.run(question_1="Hi", question_2="Bye", temperature=0.7)
    assert state.messages()[0] == {"role": "system", "content": ""} and len(state.messages()) == 5


# ------------------------------------------------------------------ tree of thought, self-consistency


def propose_plan(s, question, branches):
    s += sgl.user("Plan: " + question)
    forks = s.fork(branches)
    forks += sgl.assistant(sgl.gen("plan", max_tokens=5, temperature=0.7))
    return forks


def execute_plan(s, branches):
    s += sgl.user("Execute the plan.")
    forks = s.fork(branches)
    forks += sgl.assistant(sgl.gen("answer", max_tokens=5, temperature=0.7))
    return forks


@sgl.function
def tree_search(s, question, branches):
    solutions = []
    for plan in propose_plan(s, question, branches):
        forks = execute_plan(plan, branches)
        forks.join()
        solutions.append(plan["answer"])
    return solutions


@sgl.function
def chains(s, question, count):
    s += "Question: " + question + "\n"
    forks = s.fork(count)
    for i, f in enumerate(forks):
        f += f"Answer {i}:" + sgl.gen("answer", max_tokens=4, temperature=0.3 + 0.1 * i, stop="Question")
        f += " It is " + sgl.select("vote", ["even", "odd"])
    forks.join()


def tree_of_thought():
    states = tree_search.run_batch([{"question": f"{i} + 2", "branches": 2} for i in range(2)])
    assert all([len(a) for a in s.ret_value] == [2, 2] for s in states)


def self_consistency():
    states = chains.run_batch([{"question": "1 + 1?", "count": 5}, {"question": "2?", "count": 5}])
    assert all(len(s["answer"]) == 5 and most_frequent(s["vote"]) in ("even", "odd") for s in states)


# ------------------------------------------------------------------ few-shot with select, MMLU, generative agents

SHOTS = "".join(f"The sky is {word}: {label}\n" for word, label in [("blue", "true"), ("green", "false")] * 10)


@sgl.function
def few_shot(s, question):
    s += SHOTS + question + ": " + sgl.select("answer", choices=["true", "false"])


@sgl.function
def multiple_choice(s, question):
    s += question + "\nAnswer:" + sgl.gen("answer")


def few_shot_select():
    rows = [{"question": f"The sky is {i}"} for i in range(6)]
    states = few_shot.run_batch(rows, temperature=0, num_threads=3, progress_bar=True)
    lazily = list(few_shot.run_batch(rows, temperature=0, generator_style=True))
    assert [s["answer"] for s in states] == [s["answer"] for s in lazily]
    short = multiple_choice.run_batch(rows, temperature=0, max_new_tokens=1)
    assert all(s.get_meta_info("answer")["completion_tokens"] <= 1 for s in short)
    calls = {few_shot: {"question": "a"}, multiple_choice: {"question": "b"}}  # programs are keys
    for program, arguments in calls.items():
        program.run(**arguments).sync()


ALL = [
    tip_suggestion,
    llm_judge,
    react,
    json_decoding,
    multi_turn,
    tree_of_thought,
    self_consistency,
    few_shot_select,
]
