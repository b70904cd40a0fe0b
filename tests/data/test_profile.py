"""What the profile says of the data, and the page it draws."""

from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import load_contract
from furrow.data.profile import Profile, profile
from furrow.data.profile_page import heat, write_page
from furrow.data.raw_tables import NoDataError
from furrow.drawing.charts import bars, lines, spark
from furrow.files import canonical_json

CONTRACT = Path(__file__).resolve().parents[2] / "conf/data/contract.yaml"


@pytest.fixture(scope="module")
def found(landed: Path) -> Profile:
    return profile(landed, load_contract(CONTRACT))


def test_columns_are_described(found: Profile, landed: Path) -> None:
    """Nulls, distinct values, least, median, most and the most frequent are those of the files."""
    flights = found.tables[0]
    frame = pq.read_table(landed / "flights").to_pandas()
    assert flights.rows == len(frame)
    columns = {column.name: column for column in flights.columns}
    delay, carrier = columns["arrival_delay"], columns["carrier"]
    assert delay.nulls == frame.arrival_delay.isna().sum()
    assert (delay.least, delay.most) == (
        str(int(frame.arrival_delay.min())),
        str(int(frame.arrival_delay.max())),
    )
    assert abs(int(delay.median) - frame.arrival_delay.median()) <= 1
    assert delay.distinct == frame.arrival_delay.nunique()
    assert delay.histogram is not None
    assert sum(delay.histogram.counts) == frame.arrival_delay.count()
    shares = frame.carrier.value_counts(normalize=True)
    assert carrier.top[0] == (shares.index[0], pytest.approx(shares.iloc[0]))
    assert columns["scheduled_departure"].least == "2013-01-01 10:15"


def test_months_are_described(found: Profile) -> None:
    """Rows, share of late flights and share of nulls by month."""
    flights = found.tables[0]
    assert flights.partitions == ("2013-01", "2013-02", "2013-03")
    assert flights.rows_by_partition == (27_004, 24_951, 28_834)
    assert flights.share_by_partition["late"] == pytest.approx((0.2521, 0.2787, 0.2607), abs=1e-4)
    assert flights.null_share_by_partition["departure"][1] == pytest.approx(0.0505, abs=1e-4)


def test_the_same_data_give_the_same_page(found: Profile, landed: Path, tmp_path: Path) -> None:
    """No time of day, no path: byte for byte the same."""
    again = profile(landed, load_contract(CONTRACT))
    assert canonical_json(again.to_json()) == canonical_json(found.to_json())
    write_page(tmp_path / "a.html", found)
    write_page(tmp_path / "b.html", again)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "meta", "rect", "line", "circle", "polyline"}:
            self.open.append(tag)
        self.links += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}
        ]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"rect", "line", "circle", "polyline"}:
            return
        assert self.open.pop() == tag


def test_the_page_stands_alone(found: Profile, tmp_path: Path) -> None:
    """Well formed, a section for each table, and nothing is fetched from anywhere."""
    path = tmp_path / "deep" / "profile.html"
    write_page(path, found)
    page = path.read_text()
    links = Links()
    links.feed(page)
    assert links.open == []
    assert links.links == [
        f"#{t}" for t in ("flights", "weather", "planes", "airlines", "airports")
    ]
    assert "url(" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Share of late by month" in page


def test_values_are_escaped(data: Path, tmp_path: Path) -> None:
    """A value from the data can't become markup."""
    path = data / "airlines.parquet"
    table = pq.read_table(path)
    names = ["<script>alert(1)</script>"] * len(table)
    pq.write_table(table.set_column(1, "name", pa.array(names)), path)
    write_page(tmp_path / "p.html", profile(data, load_contract(CONTRACT)))
    page = (tmp_path / "p.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_damaged_files_are_told_and_the_rest_is_drawn(data: Path) -> None:
    """A truncated partition, an absent table and a table without rows do not stop the profile."""
    path = data / "flights/2013-02.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    (data / "airlines.parquet").unlink()
    pq.write_table(pq.read_table(data / "planes.parquet").slice(0, 0), data / "planes.parquet")
    tables = {t.name: t for t in profile(data, load_contract(CONTRACT)).tables}
    assert tables["flights"].partitions == ("2013-01", "2013-03")
    assert "flights/2013-02.parquet" in tables["flights"].notes[0]
    assert "airlines.parquet" in tables["airlines"].notes[0]
    assert tables["planes"].rows == 0


def test_no_data(tmp_path: Path) -> None:
    """The error says how to get some."""
    with pytest.raises(NoDataError, match="holds none"):
        profile(tmp_path, load_contract(CONTRACT))


def test_charts_take_nothing_and_zeros() -> None:
    """Empty and all-zero series draw empty charts."""
    for draw in (bars, lines):
        assert "<svg" in draw([], [], text=str, title="none")
        assert "<svg" in draw(["a", "b"], [0, 0], text=str, title="<zeros>")
        assert "<zeros>" not in draw(["a", "b"], [0, 0], text=str, title="<zeros>")
    assert "<svg" in spark([0, 0], title="zeros")


def test_tails_and_doubts_are_told(found: Profile, tmp_path: Path) -> None:
    """Trimmed ends are counted and hollow; a value that is hard to believe stands on top; units beside names."""
    columns = {(t.name, c.name): c for t in found.tables for c in t.columns}
    wind = columns["weather", "wind_speed"]
    assert (wind.unit, wind.doubted) == ("mph", 1)
    assert wind.histogram
    assert 0 < wind.histogram.above <= 0.005 * 80_000
    assert columns["flights", "departure_delay"].doubted == 0
    write_page(tmp_path / "p.html", found, [("commit", "abc")], kept=False)
    page = (tmp_path / "p.html").read_text()
    assert "weather.wind_speed: 1 of 6,4" in page
    assert 'class="tail"' in page
    assert '<h1 class="failed">' in page
    assert "<dt>commit</dt><dd>abc</dd>" in page
    assert page.index("[mph]") > 0


def test_every_text_has_its_values(found: Profile) -> None:
    """The most frequent values of each text column; only of one whose values all differ there are none."""
    for table in found.tables:
        for column in table.columns:
            if column.type == "string":
                assert bool(column.top) == (column.distinct < table.rows - column.nulls)


def test_half_a_per_cent_is_seen_beside_five() -> None:
    """Heat goes by the order of magnitude, and never sinks."""
    scale = [heat(share) for share in (0, 0.0001, 0.001, 0.005, 0.05, 0.5, 1)]
    assert scale == sorted(scale)
    assert scale[0] == 0 < scale[1]
    assert scale[4] - scale[3] > 15
    assert scale[-1] == 70
