"""The hand-written fact tables in `data/`, one record per line, fields separated by `|`."""

from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def _table(name: str, columns: int | None = None) -> list[list[str]]:
    rows = []
    for line in (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            row = line.split("|")
            if columns is not None and len(row) != columns:
                raise ValueError(f"{name}.txt: expected {columns} fields: {line}")
            rows.append(row)
    return rows


COUNTRIES = _table("countries", 5)
PEOPLE = _table("people", 3)
WHO_DID = _table("whodid", 3)
CHARACTERS = _table("characters", 10)
DIFFERENCES = _table("differences", 3)
TOPICS = _table("topics", 3)
STORIES = [[r[0]] + [beat.split(" / ") for beat in r[1:]] for r in _table("stories", 4)]
POEMS = [[t, text.replace(" / ", "\n")] for t, text in _table("poems", 2)]
JOKES = _table("jokes", 2)
TIPS = _table("tips", 7)
FACTS = _table("facts", 3)
YES_NO = _table("yesno", 3)

BORN = [p for p in PEOPLE if p[1] != "-"]
MONTHS = "January February March April May June July August September October November December".split()


def capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def bare(name: str) -> str:
    """A name without its leading article."""
    return name[4:] if name.startswith("the ") else name


def date_in_words(date: str) -> str:
    month, day, year = date.split("/")
    return f"{MONTHS[int(month) - 1]} {day}, {year}"


def article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def sheet(row: list[str]) -> str:
    """A character sheet in the layout that the tutorial's regular expression prescribes."""
    name, house, blood, job, wood, core, length, alive, patronus, boggart = row
    if len(name) > 16:
        name = name.split()[-1]
    return (
        "{\n"
        f'    "name": "{name}",\n    "house": "{house}",\n    "blood status": "{blood}",\n'
        f'    "occupation": "{job}",\n    "wand": {{\n        "wood": "{wood}",\n'
        f'        "core": "{core}",\n        "length": {length}\n    }},\n'
        f'    "alive": "{alive}",\n    "patronus": "{patronus}",\n    "bogart": "{boggart}"\n}}'
    )
