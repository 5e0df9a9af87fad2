"""Writes the sample roster: `python -m local.rosters.make > local/rosters/sample.csv`. The same every time."""

import csv
import random
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO

COLUMNS = (
    *("employee_id", "login", "name", "mail", "language", "side", "level", "function", "site", "zone", "manager_id"),
    *("languages", "offers", "seeks", "channels", "capacity"),
)

TAGS = {
    "ways-of-working": {"en": "Ways of working"},
    "learning": {"en": "Learning"},
    "technology": {"en": "New technology"},
    "careers": {"en": "Careers"},
    "inclusion": {"en": "Inclusion"},
    "wellbeing": {"en": "Wellbeing"},
    "sustainability": {"en": "Sustainability"},
    "customers": {"en": "Customers of tomorrow"},
    "communication": {"en": "Communication"},
    "hybrid-work": {"en": "Hybrid work"},
}
SITES = {
    "lisbon": {"label": "Lisbon", "zone": "Europe/Lisbon"},
    "bengaluru": {"label": "Bengaluru", "zone": "Asia/Kolkata"},
    "sao-paulo": {"label": "São Paulo", "zone": "America/Sao_Paulo"},
    "toronto": {"label": "Toronto", "zone": "America/Toronto"},
}
FUNCTIONS = {
    "engineering": "Engineering",
    "finance": "Finance",
    "operations": "Operations",
    "people": "People",
    "sales": "Sales",
}
LEVELS = ["Graduate", "Associate", "Senior associate", "Manager", "Director", "Vice president", "Chief executive"]
WORDS = {"tags": TAGS, "sites": SITES, "functions": FUNCTIONS, "levels": LEVELS}
"""What a program must have words for to take this roster: fields of the body that opens it."""

_SPEAKS = {"lisbon": ["pt"], "bengaluru": ["hi"], "sao-paulo": ["pt", "es"], "toronto": ["fr"]}
_MAIL = "company.example"
_TOP = ("Zélia Vasconcelos", "lisbon", "operations")
_VICE_PRESIDENTS = [
    ("Arvind Ramanathan", "bengaluru", "engineering"),
    ("Beatrice Tremblay", "toronto", "sales"),
    ("Caio Albuquerque", "sao-paulo", "finance"),
]
_DIRECTORS = [
    ("Deepa Kulkarni", "bengaluru", "engineering"),
    ("Duarte Figueira", "lisbon", "engineering"),
    ("Eloise Gagnon", "toronto", "engineering"),
    ("Fergus O'Hanlon", "toronto", "sales"),
    ("Graça Teixeira", "lisbon", "sales"),
    ("Harish Venkataraman", "bengaluru", "sales"),
    ("Iara Monteiro", "sao-paulo", "people"),
    ("Joaquim Sarmento", "lisbon", "finance"),
    ("Kavita Deshpande", "bengaluru", "people"),
    ("Lourenço Bittencourt", "sao-paulo", "operations"),
]
_MENTORS = {
    "lisbon": "Afonso Brandão,Bruna Quintela,Catarina Moura,Diogo Valadares,Eva Sequeira,Francisco Lobo,"
    "Helena Vilhena,Inês Caldeira,João Penedo,Leonor Azinheira,Mateus Portela,Núria Falcão",
    "bengaluru": "Aditi Banerjee,Bhavna Pillai,Chetan Gowda,Divya Nambiar,Eshan Malhotra,Farida Qureshi,"
    "Girish Hegde,Ishita Sen,Karthik Subbarao,Lakshmi Iyengar,Manoj Rao,Nikhil Joshi",
    "sao-paulo": "Alice Nogueira,Breno Cavalcanti,Camila Yamamoto,Davi Rezende,Elisa Guimarães,Felipe Andrade,"
    "Giovana Prates,Heitor Siqueira,Isadora Leme,Júlio Tavares,Larissa Okada,Murilo Barreto",
    "toronto": "Amara Okafor,Blake Sinclair,Chloé Bergeron,Dmitri Kowalchuk,Ella Fraser,Farhan Siddiqui,"
    "Grace Liang,Hudson McRae,Imani Clarke,Jasper Nguyen,Keira Doyle,Liam Pelletier",
}
_MENTOR_LEVELS = [4, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1]
"""Of the twelve mentors of a site, in their order."""

Row = dict[str, str]


def rows() -> list[Row]:
    """62 people who can be taken, and five rows that cannot, each for another reason."""
    chance = random.Random(20260914)
    people = list(_people(chance))
    faulty = _faulty(people)
    for position, row in zip((9, 21, 34, 47, 60), faulty, strict=True):
        people.insert(position, row)
    return people


def _people(chance: random.Random) -> Iterator[Row]:
    numbers = iter(range(1, 1000))
    top = _person(chance, next(numbers), *_TOP, 7, "executive")
    yield top
    above = [top]
    for name, site, function in _VICE_PRESIDENTS:
        above.append(_person(chance, next(numbers), name, site, function, 6, "executive", top))
        yield above[-1]
    directors = []
    for position, (name, site, function) in enumerate(_DIRECTORS):
        boss = next((v for v in above[1:] if v["function"] == function), above[1 + position % 3])
        directors.append(_person(chance, next(numbers), name, site, function, 5, "executive", boss))
        yield directors[-1]
    for site, names in _MENTORS.items():
        yield from _site(chance, numbers, site, names.split(","), directors)


def _site(
    chance: random.Random, numbers: Iterator[int], site: str, names: list[str], directors: list[Row]
) -> Iterator[Row]:
    """A manager below a director, two seniors below whom the others work."""
    local = [d for d in directors if d["site"] == site]
    team: list[Row] = []
    for name, level in zip(names, _MENTOR_LEVELS, strict=True):
        if level == 4:
            boss = local[0]
        elif level == 3:
            boss = team[0] if len(team) == 1 else local[-1]
        else:
            boss = team[1 + len(team) % 2]
        team.append(_person(chance, next(numbers), name, site, boss["function"], level, "mentor", boss))
    yield from team


def _person(
    chance: random.Random,
    number: int,
    name: str,
    site: str,
    function: str,
    level: int,
    side: str,
    boss: Row | None = None,
) -> Row:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower().replace("'", "")
    login = plain.replace(" ", ".")
    offers, seeks = chance.sample(list(TAGS), 3), chance.sample(list(TAGS), 3)
    return {
        "employee_id": f"{10000 + 37 * number:06d}",  # a leading zero: numbers that are no numbers
        "login": login,
        "name": name,
        "mail": f"{login}@{_MAIL}",
        "language": "pt" if site in ("lisbon", "sao-paulo") and chance.random() < 0.4 else "en",
        "side": side,
        "level": str(level),
        "function": function,
        "site": site,
        "zone": SITES[site]["zone"],
        "manager_id": boss["employee_id"] if boss else "",
        "languages": "|".join(["en", *chance.sample(_SPEAKS[site], chance.randint(0, 1))]),
        "offers": "|".join(offers),
        "seeks": "|".join(seeks),
        "channels": "|".join(["video", *chance.sample(["phone", "room"], chance.randint(0, 2))]),
        "capacity": chance.choice(["", "1"]),
    }


def _faulty(people: list[Row]) -> list[Row]:
    """A missing address, a level that is no number, a site nobody has, an employee number of somebody else, and a
    manager who is in no row."""
    names = ["Otávio Sarney", "Preeti Shah", "Quentin Marchand", "Rui Meireles", "Sunita Bhatt"]
    faults = [
        {"mail": ""},
        {"level": "L2"},
        {"site": "berlin"},
        {"employee_id": people[20]["employee_id"]},
        {"manager_id": "099999"},
    ]
    chance = random.Random(5)
    model = people[-1]
    boss = next(row for row in people if row["employee_id"] == model["manager_id"])
    return [
        _person(chance, 500 + i, name, model["site"], model["function"], 2, "mentor", boss) | fault
        for i, (name, fault) in enumerate(zip(names, faults, strict=True))
    ]


def write(out: TextIO) -> None:
    """Write the roster as CSV."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())


if __name__ == "__main__":
    write(sys.stdout)
