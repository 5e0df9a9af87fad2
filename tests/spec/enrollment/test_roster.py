"""Roster files as HR systems write them: what is taken, and what comes back with row, column, code and value."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.enrollment import RowFault
from contracts.profiles import Channel
from contracts.types import Side
from local.rosters import make
from services.enrollment.roster.reading import OPTIONAL, REQUIRED, Fault, Listed, NotARoster, Roster, read

LISTED = Listed(
    tags=frozenset(make.TAGS),
    sites={tag: str(site["zone"]) for tag, site in make.SITES.items()},
    functions=frozenset(make.FUNCTIONS),
    levels=len(make.LEVELS),
)
SAMPLE = Path(make.__file__).with_name("sample.csv")
ADA = {
    "employee_id": "007",
    "login": "ada",
    "name": "Ada Żeleńska",
    "mail": "ada@example.org",
    "level": "2",
    "function": "people",
    "site": "lisbon",
}


def text(*rows: dict[str, str], delimiter: str = ",") -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    return "".join(delimiter.join(cells) + "\r\n" for cells in lines)


def faults(roster: Roster) -> list[tuple[int, str, RowFault, str]]:
    return [(f.row, f.column, f.code, f.value) for f in roster.faults]


def test_the_sample_is_what_its_generator_writes(tmp_path: Path) -> None:
    with (tmp_path / "again.csv").open("w", encoding="utf-8") as out:
        make.write(out)
    assert (tmp_path / "again.csv").read_bytes() == SAMPLE.read_bytes()


def test_of_the_sample_four_rows_fall_by_themselves() -> None:
    roster = read(SAMPLE.read_bytes(), LISTED)
    assert (roster.rows, len(roster.entries)) == (67, 63)
    assert faults(roster) == [
        (11, "mail", RowFault.missing, ""),
        (23, "level", RowFault.malformed, "L2"),
        (36, "site", RowFault.not_listed, "berlin"),
        (49, "employee_id", RowFault.duplicate, "010777"),
    ]
    assert roster.entries[2].employee == "010037", "a number with a leading zero stays text"


def test_what_is_not_said_has_a_default() -> None:
    entry = read(text(ADA).encode(), LISTED).entries[2]
    assert (entry.language, entry.languages, entry.zone) == ("en", ("en",), "Europe/Lisbon")
    assert (entry.side, entry.manager, entry.capacity, entry.channels) == (None, None, None, ())


def test_lists_are_separated_by_bars_and_keep_their_order() -> None:
    row = {
        **ADA,
        "side": "mentor",
        "languages": "pt-BR | en",
        "offers": "learning|careers|learning",
        "channels": "room|video",
        "capacity": "2",
        "zone": "Asia/Kolkata",
    }
    entry = read(text(row).encode(), LISTED).entries[2]
    assert entry.side is Side.mentor
    assert entry.languages == ("pt-BR", "en")
    assert entry.offers == ("learning", "careers")
    assert entry.channels == (Channel.room, Channel.video)
    assert (entry.capacity, entry.zone) == (2, "Asia/Kolkata")


@pytest.mark.parametrize("encode", [str.encode, lambda t: codecs.BOM_UTF8 + t.encode(), lambda t: t.encode("cp1252")])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_files_of_every_spreadsheet_say_the_same(encode: object, delimiter: str) -> None:
    row = {**ADA, "name": "Inês Brandão"}
    assert callable(encode)
    assert read(encode(text(row, delimiter=delimiter)), LISTED).entries[2].name == "Inês Brandão"


def test_blank_lines_count_as_rows_of_the_spreadsheet_and_cells_may_hold_line_breaks() -> None:
    lines = text(ADA, {**ADA, "mail": "nobody"}).splitlines()
    data = "\n".join([lines[0], "", lines[1], ",,,", lines[2]])
    assert faults(read(data.encode(), LISTED))[0][:2] == (5, "mail")
    broken = read(text({**ADA, "name": '"Ada\nŻ"'}).encode(), LISTED)
    assert faults(broken) == [(2, "name", RowFault.malformed, "Ada\nŻ")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mail": ""}, RowFault.missing),
        ({"name": " "}, RowFault.missing),
        ({"mail": "ada.example.org"}, RowFault.malformed),
        ({"mail": f"{'a' * 250}@example.org"}, RowFault.malformed),
        ({"level": "0"}, RowFault.malformed),
        ({"level": "8"}, RowFault.malformed),
        ({"level": "²"}, RowFault.malformed),
        ({"language": "english"}, RowFault.malformed),
        ({"site": "Lisbon"}, RowFault.not_listed),
        ({"side": "mentee"}, RowFault.not_listed),
        ({"offers": "learning|gossip"}, RowFault.not_listed),
        ({"channels": "unknown"}, RowFault.not_listed),
        ({"zone": "Europe/Atlantis"}, RowFault.not_listed),
        ({"capacity": "4"}, RowFault.malformed),
    ],
)
def test_a_wrong_cell_comes_back_with_its_column(change: dict[str, str], code: RowFault) -> None:
    roster = read(text({**ADA, **change}).encode(), LISTED)
    assert not roster.entries
    assert [(f.row, f.column, f.code) for f in roster.faults] == [(2, next(iter(change)), code)]


def test_every_wrong_cell_of_a_row_comes_back() -> None:
    roster = read(text({**ADA, "mail": "", "level": "x", "site": "y"}).encode(), LISTED)
    assert {f.column for f in roster.faults} == {"mail", "level", "site"}


def test_of_two_rows_with_one_login_the_first_counts() -> None:
    roster = read(text(ADA, {**ADA, "employee_id": "8", "mail": "b@example.org"}).encode(), LISTED)
    assert list(roster.entries) == [2]
    assert faults(roster) == [(3, "login", RowFault.duplicate, "ada")]


def test_cells_beyond_the_columns_and_columns_nobody_knows() -> None:
    roster = read((text({**ADA, "shoe_size": "44"}).rstrip() + ",more\r\n").encode(), LISTED)
    assert roster.ignored == ["shoe_size"]
    assert faults(roster) == [(2, "column 9", RowFault.malformed, "more")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "missing-columns"),
        (b"name;mail\nAda;ada@example.org\n", "missing-columns"),
        ((",".join([*REQUIRED, "login"]) + "\n").encode(), "columns-twice"),
        ("employee_id".encode("utf-16"), "not-text"),
        (b"\x81\x8d", "not-text"),
        ((",".join(REQUIRED) + '\n"ada').encode(), "not-csv"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(data: bytes, code: str) -> None:
    with pytest.raises(NotARoster) as refused:
        read(data, LISTED)
    assert refused.value.code == code


cells = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", *ADA.values(), "mentor", "learning|careers", "4", "video", '"', ";", "=1+1"]),
)
tables = st.lists(st.lists(cells, max_size=18), max_size=5).map(
    lambda rows: "\n".join([",".join(REQUIRED + OPTIONAL), *(",".join(row) for row in rows)]).encode(errors="replace")
)


@given(st.one_of(st.binary(max_size=200), tables))
@example(b"\xef\xbb\xbf")
@example((",".join(REQUIRED) + "\n" + "x" * 140_000).encode())
def test_no_file_at_all_breaks_it(data: bytes) -> None:
    """It is read or refused; each row is taken or has a fault, never both, and a fault never repeats a whole cell."""
    try:
        roster = read(data, LISTED)
    except NotARoster as refused:
        assert refused.code and str(refused)
        return
    faulty = {f.row for f in roster.faults}
    assert faulty.isdisjoint(roster.entries)
    assert len(faulty) + len(roster.entries) == roster.rows
    assert all(isinstance(f, Fault) and len(f.value) <= 100 and f.row >= 2 for f in roster.faults)
