"""A report shows who wins and whether it is right, and mixes nothing that may not be compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import record, run
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from plm_components.bench import files
from plm_components.bench.hardware import hardware
from plm_components.bench.plain_data import record_to_plain
from plm_components.bench.record import Record
from plm_components.bench.report import write_report
from plm_components.bench.report.amounts import digits, rate, seconds, share, times
from plm_components.bench.report.canvas import Canvas
from plm_components.bench.report.standing import standings
from plm_components.bench.report.subjects import latest, panels
from plm_components.bench.report.write import write_runs
from plm_components.errors import UsageError


class _Document(HTMLParser):
    """Tags that stay open, what pictures show, and the text of table rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.sources += [str(given[key]) for key in ("src", "srcset") if key in given]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two machines, one of them in two modes and at two times."""
    runs = [
        run("h100", "2026-11-20T03:00:00", slower=1.2),
        run("h100", "2026-11-27T03:00:00"),
        run("h100", "2026-11-27T03:00:00", records=(record("attention/eager", 1e-5, mode="warm"),)),
        run("h200", "2026-11-27T03:00:00", records=(record("attention/eager", 1e-5),)),
    ]
    return write_runs(runs, tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="module")
def document(report: Path) -> _Document:
    return _Document(report.read_text(encoding="utf-8"))


def test_the_page_is_sound_and_stands_alone(report: Path, document: _Document) -> None:
    assert document.open == []
    text = report.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text
    # every picture is shown, and every picture shown is there
    assert set(document.sources) == {path.name for path in report.parent.glob("*.png")}


def test_a_glance_names_the_fastest_exact_contender(document: _Document) -> None:
    row = next(
        row for row in document.rows if row[0] == "attention/prefill, bfloat16: num keys 1024"
    )

    _, mode, fastest, time, gain, error, roofline = row
    assert (mode, error) == ("cold", "✓ 0.90×")
    # who is faster without being exact is named, and does not win
    assert fastest.startswith("attention/sdpa (precision fast: plm-loose:attention/fp8, ")
    assert time.endswith(" µs")
    assert float(gain.partition("×")[0]) == pytest.approx(4, rel=0.02)
    assert roofline.endswith(" %")


def test_a_glance_names_equals_and_says_where_nobody_is_exact(tmp_path: Path) -> None:
    same = tuple(record(f"attention/{name}", 1e-5, sizes={"n": 1}) for name in ("eager", "sdpa"))
    loose = record("attention/fp8", 1e-5, sizes={"n": 2}, precision="fast")
    none = record("attention/fp8", None, sizes={"n": 3}, refused="it cannot")
    page = write_runs([run(records=(*same, loose, none))], tmp_path / "out")

    rows = {
        row[0][-1]: row[2] for row in _Document(page.read_text("utf-8")).rows if ": n " in row[0]
    }
    assert "(no slower: attention/" in rows["1"]
    assert rows["2"].startswith("nobody exact (precision fast: attention/fp8, ")
    assert rows["3"] == "nobody got a time"


def test_who_got_no_time_is_told_with_the_reason(report: Path) -> None:
    text = report.read_text(encoding="utf-8")

    assert "<b>attention/wrong</b> <span class=bad>largest error 3.2 against float64</span>" in text
    assert "<b>attention/xformers</b> <span class=soft>it needs xformers&gt;=0.0.34</span>" in text
    times_of_wrong = [row for row in _Document(text).rows if "attention/wrong" in row]
    assert times_of_wrong == []


def test_machines_and_modes_have_pictures_of_their_own(report: Path) -> None:
    bars = sorted(path.name for path in report.parent.glob("*-prefill-bfloat16-light.png"))

    assert bars == [
        "h100-cold-attention-prefill-bfloat16-light.png",
        "h100-warm-attention-prefill-bfloat16-light.png",
        "h200-cold-attention-prefill-bfloat16-light.png",
    ]
    assert len(list(report.parent.glob("*-roofline-*-light.png"))) == 3
    # only what was measured twice has a history
    histories = [path.name for path in report.parent.glob("*-history-light.png")]
    assert histories == ["h100-cold-attention-prefill-bfloat16-history-light.png"]


def test_conditions_are_told_of_every_file(document: _Document) -> None:
    told = [tuple(row) for row in document.rows if len(row) == 2]

    assert told.count(("torch", "2.11.0")) == 4
    assert told.count(("clocks locked", "no")) == 4
    assert {value for name, value in told if name == "measured"} == {
        "2026-11-20T03:00:00",
        "2026-11-27T03:00:00",
    }


def test_of_several_runs_the_latest_is_drawn() -> None:
    early, late = run("h100", "2026-11-20T03:00:00", slower=2.0), run("h100")
    found = latest(panels([late, early]))

    assert [panel.run for members in found.values() for panel in members] == [late, late]


def test_what_nobody_could_do_is_told_and_not_drawn(tmp_path: Path) -> None:
    refused = (record("attention/fp8", None, refused="it cannot"),)
    runs = [run(when=when, records=refused) for when in ("2026-11-20", "2026-11-27")]
    page = write_runs(runs, tmp_path / "out")

    assert list(page.parent.glob("*.png")) == []
    assert "<b>attention/fp8</b> <span class=soft>it cannot</span>" in page.read_text("utf-8")


def test_only_what_was_measured_together_shares_a_panel() -> None:
    def of(seed: int, part: str, seconds: float) -> Record:
        return replace(record(part, seconds), conditions={"seed": seed})

    first = (of(1, "attention/eager", 2e-5), of(1, "attention/sdpa", 1e-5))
    second = (of(2, "attention/eager", 9e-5), of(2, "attention/flex", 8e-5))
    one, other = panels([run(records=first + second)])

    assert [standing.record for standing in one.standings] == [*reversed(first)]
    assert [standing.record for standing in other.standings] == [*reversed(second)]
    assert other.sizes == (*one.sizes, ("measurement", 2))


def test_whom_the_fastest_is_not_known_to_beat_wins_too() -> None:
    field = [
        record("attention/eager", 8e-5),
        record("attention/sdpa", 2.0e-5),
        record("attention/twin", 2.0005e-5),
        record("attention/flex", 2.1e-5),
        record("attention/fp8", 1e-5, precision="fast"),
    ]

    assert {one.record.part for one in standings(field) if one.wins} == {
        "attention/sdpa",
        "attention/twin",
    }
    assert [one.record.part for one in standings(field)][-1] == "attention/eager"


def test_without_an_interval_only_separate_rounds_show_a_difference() -> None:
    def few(part: str, *rounds_s: float) -> Record:
        return replace(record(part, 1e-5), rounds_s=rounds_s)

    field = [
        few("attention/sdpa", 1.0e-5, 1.1e-5, 1.2e-5, 1.3e-5),
        few("attention/near", 1.29e-5, 1.4e-5, 1.5e-5, 1.6e-5),
        few("attention/eager", 1.31e-5, 1.4e-5, 1.5e-5, 1.6e-5),
    ]

    assert [one.wins for one in standings(field)] == [True, True, False]
    gain = standings(field)[0].gain
    assert gain is not None
    assert gain.low == gain.middle == gain.high


def test_a_fault_is_told_without_the_sizes_that_stand_beside_it(tmp_path: Path) -> None:
    faults = (
        "attention/prefill (num_heads=16, num_keys=1024): wide inputs: output: far off (seed 3)",
        "attention/prefill (trial) (num_heads=1): wide inputs: output: far off (seed 3)",
        "in a timed round: output: far off",
    )
    field = tuple(record(f"wrong/{n}", None, fault=fault) for n, fault in enumerate(faults))
    text = write_runs([run(records=field)], tmp_path / "out").read_text("utf-8")

    assert "<b>wrong/0</b> <span class=bad>wide inputs: output: far off (seed 3)</span>" in text
    assert "<span class=bad>at another size: wide inputs: output: far off (seed 3)</span>" in text
    assert "<span class=bad>in a timed round: output: far off</span>" in text


def test_a_gain_is_paired_round_by_round() -> None:
    # the rounds drift by far more than the contenders differ
    field = [record("attention/eager", 1.02e-5), record("attention/sdpa", 1e-5)]
    spread = np.quantile(field[0].rounds_s, 0.75) / np.quantile(field[0].rounds_s, 0.25)
    fast = standings(field)[0]

    assert spread > 1.03
    assert fast.gain is not None
    assert 1.0 < fast.gain.low < 1.02 < fast.gain.high < 1.04


def test_without_an_oracle_nothing_is_compared() -> None:
    alone = standings([record("sampler/uniform", 1e-3, oracle=None, roofline_s=None)])

    assert [(one.gain, one.wins, one.roofline_share) for one in alone] == [(None, True, None)]


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    field = (record(evil, 1e-5, oracle=evil), record("other", None, refused=evil))
    text = write_runs([run(records=field, hardware=evil)], tmp_path / "out").read_text("utf-8")

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_names_are_text_and_never_formulas(tmp_path: Path) -> None:
    evil = r"$\frac$"
    field = (record(evil, 1e-5, oracle=evil, operation=evil), record("x", None, fault=evil))
    twice = [run(records=field, hardware=evil, when=f"2026-11-2{day}") for day in (6, 7)]
    text = write_runs(twice, tmp_path / "out").read_text("utf-8")

    assert evil in text


def test_conditions_may_be_of_any_form(tmp_path: Path) -> None:
    odd = {"probes": [{"clocks": [1, 2]}], "pins": {"nobody": [[0]]}, "unknown": None}
    text = write_runs([run(records=[record("x", 1e-5, conditions=odd)])], tmp_path / "out")

    assert "[1, 2]" in text.read_text("utf-8")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that a report draws, before they are files."""
    drawn: list[Figure] = []
    save = Canvas.save
    monkeypatch.setattr(
        Canvas, "save", lambda canvas, path: (drawn.append(canvas.figure), save(canvas, path))
    )
    return drawn


CROWDS: dict[str, tuple[Record, ...]] = {
    "few": (record("attention/eager", 1e-5),),
    "many": tuple(
        record(f"attention/{name}", time * 1e-6, sizes={"num_keys": keys}, error=time)
        for keys in range(100, 600, 100)
        for name, time in (("eager", 1), ("sdpa", 13.1), ("flex", 1234567.0))
    )
    + tuple(record(f"attention/{n}", 1e-6, sizes={"num_keys": 100}) for n in range(14)),
    "long": (
        record("attention/eager", 123.0, sizes={f"size_number_{n}": 10**n for n in range(14)}),
        record("a-distribution-of-a-long-name:attention/and_a_part_of_a_longer_one", 1e-9),
        record("attention/wrong", None, fault="it was far off in many ways " * 9),
    ),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_no_text_is_cut_and_none_lies_on_another(
    figures: list[Figure], tmp_path: Path, crowd: str
) -> None:
    early, late = (run("h100", when, records=CROWDS[crowd]) for when in ("2026-11-1", "2026-11-2"))
    write_runs([early, late], tmp_path / "out")

    assert len(figures) == 2 * len({"bars", "roofline", "history"})
    for figure in figures:
        boxes = _texts(figure)
        assert [text for text, box in boxes if not _inside(figure, box)] == []
        hidden = [
            (one, two)
            for (one, first), (two, second) in combinations(boxes, 2)
            # letters do not fill the box of their line
            if first.shrunk(0.9, 0.6).overlaps(second.shrunk(0.9, 0.6))
        ]
        assert hidden == []


def test_no_badge_of_the_roofline_leaves_the_plot(figures: list[Figure], tmp_path: Path) -> None:
    crowd = tuple(record("attention/eager", 1e-5, sizes={"num_keys": keys}) for keys in range(20))
    write_runs([run("h100", "2026-11-1", records=crowd)], tmp_path / "out")

    plots = [figure.axes[0] for figure in figures if figure.axes[0].get_xscale() == "log"]
    assert plots
    for axes in plots:
        low, high = axes.get_xlim()
        badges = [float(text.get_position()[0]) for text in axes.texts]
        assert len(badges) == 20
        assert low < min(badges)
        assert max(badges) < high


def _texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, and where."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    unseen = {label for axes in figure.axes for label in _beyond(axes)}
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in figure.findobj(Text)
        if isinstance(text, Text) and text.get_text() and text.get_visible() and text not in unseen
    ]


def _beyond(axes: Axes) -> Iterator[Text]:
    """Labels that an axis keeps for ticks beyond its ends."""
    for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for minor in (False, True):
            labels, places = axis.get_ticklabels(minor), axis.get_ticklocs(minor=minor)
            for label, place in zip(labels, places, strict=False):
                if not min(ends) <= place <= max(ends):
                    yield label


def _inside(figure: Figure, box: Bbox) -> bool:
    corners = [(box.x0, box.y0), (box.x1, box.y1)]
    return all(figure.bbox.contains(*corner) for corner in corners)


def test_a_report_is_written_from_files(tmp_path: Path) -> None:
    where = hardware("cpu")
    files.write(
        tmp_path / "a.json", [record("attention/eager", 1e-5, device="cpu", mode="cpu")], where
    )
    page = write_report([tmp_path / "a.json"], tmp_path / "out")

    document = _Document(page.read_text("utf-8"))
    assert ["file", "a.json"] in document.rows
    assert ["torch", torch.__version__] in document.rows
    assert f"{where.slug}-cpu-attention-prefill-bfloat16-light.png" in document.sources


def test_a_machine_without_a_name_is_nobody_else(tmp_path: Path) -> None:
    data = {"machine_info": {}, "commit_info": {}, "datetime": "2026-11-27", "version": "5.3.1"}
    entry = {"extra_info": {files.KEY: record_to_plain(record("attention/eager", 1e-5))}}
    for name in ("a", "b"):
        text = json.dumps({**data, "benchmarks": [entry]})
        (tmp_path / f"{name}.json").write_text(text)
    page = write_report([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "out")

    text = page.read_text("utf-8")
    assert "<h2>a machine that a.json does not name</h2>" in text
    assert "<h2>a machine that b.json does not name</h2>" in text
    assert "history" not in text


def test_without_matplotlib_the_report_says_what_to_install(tmp_path: Path) -> None:
    files.write(
        tmp_path / "a.json",
        [record("attention/eager", 1e-5, device="cpu", mode="cpu")],
        hardware("cpu"),
    )
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from plm_components.bench.report import write_report\n"
        "try: write_report(['a.json'], 'out')\n"
        "except Exception as error: print(type(error).__name__, error, sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert run.stdout == (
        "UnavailableError\n"
        "The report is drawn by matplotlib, which is not installed.\n"
        "  where:    bench.write_report\n"
        "  expected: matplotlib 3.9 or newer\n"
        "  fix:      pip install 'plm-components[bench]'\n"
    )


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_report([], tmp_path / "out")
    assert str(caught.value) == (
        "There is nothing to report.\n"
        "  where:    bench.write_report\n"
        "  expected: one file of measurements or more\n"
        "  fix:      plm bench SPEC --out FILE writes one"
    )


def test_dark_pictures_are_dark(report: Path) -> None:
    def paper(name: str) -> Any:
        with Image.open(report.parent / f"h100-cold-attention-prefill-bfloat16-{name}.png") as one:
            return one.convert("L").getpixel((2, 2))

    assert paper("light") > 240
    assert paper("dark") < 40


def test_an_earlier_report_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_runs([run(records=(record("attention/eager", 1e-5),))], out)
    (out / "left-over.png").write_bytes(b"")
    write_runs([run(records=(record("attention/eager", 1e-5),))], out)
    assert not (out / "left-over.png").exists()

    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        write_runs([run()], tmp_path)
    assert str(caught.value) == (
        "A report is written into a folder of its own.\n"
        f"  where:    {tmp_path}\n"
        "  expected: a new or empty folder, or that of an earlier report, which is replaced\n"
        "  fix:      choose another folder: plm bench report --out FOLDER"
    )
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (seconds(0.00123456), "1.23 ms"),
        (seconds(987.6), "988 s"),
        (seconds(5e-7), "500 ns"),
        (rate(6.021e14, "FLOP/s"), "602 TFLOP/s"),
        (rate(41.2e9, "B/s"), "41.2 GB/s"),
        (share(0.6234), "62 %"),
        (share(0.0123), "1.2 %"),
        (times(4.1), "4.10×"),
        (times(37.04), "37.0×"),
        (times(0.0123), "0.012×"),
        (digits(0), "0"),
    ],
)
def test_numbers_have_three_digits_and_a_unit(written: str, told: str) -> None:
    assert written == told
