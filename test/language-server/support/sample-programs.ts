/** Valid code that uses most of the language, as raw material for mutations and benchmarks. */
export const samplePrograms: readonly string[] = [
  `import json
import sglang as sgl
from sglang import assistant, function, gen, select, system, user

SCHEMA = json.dumps({"type": "object", "properties": {"name": {"type": "string"}, "tags": {"type": "array"}}})


@function
def triage(s, ticket: str, depth: int = 2, *rest, **options):
    """Sorts a ticket."""
    s += system("You sort tickets.") + user(f"Ticket: {ticket!r:>{depth}} {{literal}}")
    s += assistant(gen("kind", choices=["bug", "idea", "praise"]))
    if s["kind"] == "bug":
        s += assistant("Severity: " + gen("severity", dtype=int, max_tokens=2))
        while int(s["severity"]) > 3:
            s += user("Too high.") + assistant(gen("severity", dtype=int))
    elif s["kind"] in ("idea",):
        with s.var_scope("plan"):
            s += gen(regex=r"[a-z]{1,16}(, [a-z]+)*", stop=["\\n"])
    else:
        s += gen("thanks")
    forks = s.fork(depth)
    for i, f in enumerate(forks):
        f += f"Reply {i}: " + gen("reply", temperature=0.7)
    forks.join()
    match s["kind"]:
        case "bug" | "idea":
            s += gen(f"label_{s['kind']}")
        case other if other:
            pass
    return [x.strip() for x in s["reply"] if x]
`,
  `state = triage.run(ticket="It breaks", temperature=0)
print(state["kind"], state["reply"][0])
batch = triage.run_batch([{"ticket": t} for t in ["a", "b"]], progress_bar=True)
labels = {st["kind"]: st.get_meta_info("kind") for st in batch}
for piece in triage.run("x", stream=True).text_iter("reply"):
    print(piece, end="", flush=True)
!ls -la
`,
  `class Agent[T]:
    limit: int = 3

    def __init__(self, name: str) -> None:
        self.name = name

    @sgl.function
    def ask(s, question):
        s += question
        try:
            s += sgl.gen("answer", json_schema=SCHEMA)
        except (ValueError, KeyError) as error:
            raise RuntimeError("no") from error
        finally:
            s += sgl.select("mood", ["good", "bad"])

    async def later(self, *, wait=0.5):
        async with open("x") as f, lock:
            data = json.loads((await self.ask.run(question="q"))["answer"])
        return data["name"] if (n := len(data)) > 1 else lambda a, b=2: a @ b ** -n
`,
];
