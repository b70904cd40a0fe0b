"""The canonical form of SQL: blind to layout, and to nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.tokens import Token, TokenType

from furrow.features.sql import SqlError, canonical, columns_read, parse_query, reads

DIFFERENT = [
    ("select 1.0", "select 1.00"),
    ("select 'A'", "select 'a'"),
    ("select a as X from t", "select a as x from t"),
    ("select a from t order by a", "select a from t order by a nulls first"),
    ("select a from t asof join u using (b)", "select a from t join u using (b)"),
    ("select a from t left join u using (b)", "select a from t inner join u using (b)"),
    ("select a from t semi join u using (b)", "select a from t anti join u using (b)"),
    ("select a from t positional join u", "select a from t join u"),
    ("select a from t natural join u", "select a from t join u"),
    ("select a from t using sample 10%", "select a from t"),
    ("select a // b from t", "select a / b from t"),
    ("select a^b from t", "select xor(a, b) from t"),
    ("select avg(a) filter (where b) from t", "select avg(a) from t"),
    (
        "select sum(a) over (order by b rows 3 preceding exclude current row) from t",
        "select sum(a) over (order by b rows 3 preceding) from t",
    ),
    (
        "select sum(a) over (order by b range 3 preceding) from t",
        "select sum(a) over (order by b rows 3 preceding) from t",
    ),
    ("select a from t limit 10%", "select a from t limit 10"),
    ("select a::int from t", "select try_cast(a as int) from t"),
    ("select a::timestamptz from t", "select a::timestamp from t"),
    ("select a::timestamp_ns from t", "select a::timestamp from t"),
    ("select a::float from t", "select a::double from t"),
    ("select a::decimal(5,2) from t", "select a::decimal(6,2) from t"),
    (
        "select lag(a ignore nulls) over (order by b) from t",
        "select lag(a) over (order by b) from t",
    ),
    ("select strftime(a, '%-d') from t", "select strftime(a, '%d') from t"),
    ("select interval 3 hours", "select interval 3 minutes"),
    ("select a from t union all select a from u", "select a from t union select a from u"),
    (
        "select a from t union all by name select a from u",
        "select a from t union all select a from u",
    ),
    ("select * exclude (a) from t", "select * from t"),
    ("select * replace (a + 1 as a) from t", "select * from t"),
    ("select distinct on (a) a, b from t", "select distinct a, b from t"),
    ("select date_trunc('day', a at time zone 'UTC') from t", "select date_trunc('day', a) from t"),
    ("select a from t qualify row_number() over (order by b) = 1", "select a from t"),
    ("select arg_max(a, b order by c) from t", "select arg_max(a, b) from t"),
    ("select a from t group by rollup (a)", "select a from t group by a"),
    ("select quantile_cont(a, 0.5) from t", "select quantile_disc(a, 0.5) from t"),
    ("select count(distinct a) from t", "select count(a) from t"),
    ("select a is distinct from b from t", "select a <> b from t"),
    ("select date_diff('day', a, b) from t", "select date_sub('day', a, b) from t"),
    ("select dayofweek(a) from t", "select isodow(a) from t"),
    ("select log(a)", "select ln(a)"),
    ("select first(a) from t", "select last(a) from t"),
    ("select a[1:2] from t", "select a[1] from t"),
    ("select round(a, 1) from t", "select round(a) from t"),
]

QUERY = """
with recent as (
    select f.origin, f.departure, f.departure_delay - 15 as delay, w.humid
    from flights as f asof join weather as w on f.origin = w.origin and f.departure >= w.observed_at
    where f.status <> 'cancelled' and f.dest in ('BOS', 'SFO') and f.distance > 100
)
select origin, date_trunc('hour', departure) + interval 1 hour as event_timestamp,
    avg(delay) filter (where humid < 40) as cold
from recent
group by all having count(*) >= 3
order by origin, event_timestamp desc nulls first
"""

TOKENS = DuckDB().tokenize(QUERY)
LAYOUT = ["\n", "  ", "\t", " -- why\n", " /* because; */ ", "\n\n    "]


def text_of(query: str) -> str:
    return canonical(parse_query(query, origin="q.sql"))


def spelled(token: Token) -> str:
    return QUERY[token.start : token.end + 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(LAYOUT), st.booleans()),
        min_size=len(TOKENS),
        max_size=len(TOKENS),
    )
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_layout_and_the_case_of_keywords_leave_no_trace(layout: list[tuple[str, bool]]) -> None:
    """Any white space and comments between the words, and any case of the keywords, give one text."""
    words = []
    for token, (gap, upper) in zip(TOKENS, layout, strict=True):
        word = spelled(token)
        keyword = token.token_type not in (TokenType.VAR, TokenType.STRING, TokenType.IDENTIFIER)
        words += [word.upper() if keyword and upper else word, gap]
    assert text_of("".join(words)) == text_of(QUERY)


CONTENT = [
    i
    for i, t in enumerate(TOKENS)
    if t.token_type in (TokenType.VAR, TokenType.STRING, TokenType.NUMBER)
]


@pytest.mark.parametrize("place", CONTENT)
def test_another_name_text_or_number_gives_another_text(place: int) -> None:
    """No name, text or number of a query is lost on the way to its canonical form."""
    token = TOKENS[place]
    other = {TokenType.STRING: "'other'", TokenType.NUMBER: "7777"}.get(
        token.token_type, "other_name"
    )
    changed = QUERY[: token.start] + other + QUERY[token.end + 1 :]
    try:
        assert text_of(changed) != text_of(QUERY)
    except SqlError:
        assert (
            token.token_type == TokenType.VAR
        )  # a keyword that SQLGlot reads as a name: the query breaks


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_queries_that_mean_different_things_have_different_texts(one: str, two: str) -> None:
    """DuckDB's own words are understood, not skipped."""
    assert text_of(one) != text_of(two)


def test_the_canonical_text_is_its_own_canonical_text() -> None:
    """Nothing is lost or added by a second round."""
    assert text_of(text_of(QUERY)) == text_of(QUERY)


def test_reads_names_raw_relations_only() -> None:
    """CTEs and aliases are not raw relations; subqueries and joins are looked into."""
    assert reads(parse_query(QUERY, origin="q.sql")) == ("flights", "weather")
    nested = "with flights2 as (select * from planes) select (select max(lat) from airports) from flights2, flights"
    assert reads(parse_query(nested, origin="q.sql")) == ("airports", "flights", "planes")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("with Recent as (select 1 as a) select * from recent", ()),
        (
            "with recursive r as (select 1 as a union all select a + 1 from r where a < 5) select * from r",
            (),
        ),
        ("select * from Flights as f, lateral (select f.x)", ("flights",)),
        ("from flights", ("flights",)),
        ("select * from range(10) as t(i)", ()),
        ("select * from (values (1)) as v(a), unnest([1, 2]) as u(b)", ()),
    ],
)
def test_reads_knows_duckdb_s_relations(query: str, names: tuple[str, ...]) -> None:
    """Names are without case; series, values and lists are no raw relations."""
    assert reads(parse_query(query, origin="q.sql")) == names


@pytest.mark.parametrize(
    "source",
    ["read_parquet('x.parquet')", "'x.parquet'", "read_csv('x.csv')", "glob('*')", "other.flights"],
)
def test_reading_around_the_declared_relations_is_refused(source: str) -> None:
    """A file read by its path would be part of no digest and no stage."""
    with pytest.raises(SqlError, match=r"q\.sql: reads .* directly"):
        reads(parse_query(f"select * from {source}", origin="q.sql"), origin="q.sql")


def test_columns_read_follows_aliases_stars_and_subqueries() -> None:
    """The raw columns that count are those that the query reads."""
    schema = {
        "flights": {"origin": "string", "departure": "timestamp", "dest": "string"},
        "planes": {"tailnum": "string", "seats": "int32"},
    }
    query = "select f.origin, (select max(seats) from planes) from flights f where departure > 3"
    assert columns_read(parse_query(query, origin="q"), schema) == {
        "flights": {"origin": "string", "departure": "timestamp"},
        "planes": {"seats": "int32"},
    }
    assert columns_read(parse_query("select * from planes", origin="q"), schema) == {
        "planes": schema["planes"]
    }
    assert columns_read(parse_query("select x from unknown", origin="q"), schema) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("selec a from t", "q.sql"),
        ("select a from", "q.sql: line 1"),
        ("select 1; select 2", "q.sql: holds 2 statements"),
        ("-- nothing", "q.sql: holds 0 statements"),
        ("drop table flights", "q.sql: holds DROP"),
        ("copy t to 'x'", "q.sql: holds COPY"),
    ],
)
def test_what_is_not_one_query_is_refused(text: str, said: str) -> None:
    """The message names the file, and the line where there is one."""
    with pytest.raises(SqlError) as caught:
        parse_query(text, origin="q.sql")
    assert caught.value.message.startswith(said)
    assert caught.value.hint


def test_the_tables_of_the_example_can_be_read() -> None:
    """The canonical form of every feature table of this repository is stable under a second round."""
    folder = Path(__file__).resolve().parents[2] / "features" / "tables"
    for path in sorted(folder.glob("*.sql")):
        once = text_of(path.read_text())
        assert text_of(once) == once, path.name
