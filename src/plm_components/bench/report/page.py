"""The report as a document: one HTML file that asks nothing of its reader but a browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from plm_components.bench.report.amounts import rate, seconds, share, times
from plm_components.bench.report.bars import error_text, gain_text
from plm_components.bench.report.pictures import Picture
from plm_components.bench.report.standing import Standing, fault_of
from plm_components.bench.report.subjects import Panel, Topic, own_sizes, spelt

GENERATOR = "plm bench report"
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1d21; --soft: #5c626d; --faint: #dfe3e8;
  --paper: #ffffff; --best: #15795a; --bad: #bb3327; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #9aa2ae; --faint: #343a44;
  --paper: #15181d; --best: #3fbf91; --bad: #f0766b; } }
body { margin: 2.5rem auto; max-width: 76rem; padding: 0 1.25rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; margin-bottom: .3rem; } h2 { margin-top: 3.2rem; font-size: 1.45rem; }
h3 { margin-top: 2.6rem; font-size: 1.1rem; } p { max-width: 46rem; }
.soft { color: var(--soft); } .bad { color: var(--bad); } .best { color: var(--best); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--faint);
  vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.best td { font-weight: 600; }
img { max-width: 100%; height: auto; display: block; margin: .6rem 0; }
summary { cursor: pointer; color: var(--soft); }
"""
_LEAD = (
    "Every time below belongs to an answer that was checked against float64 before the clock ran, "
    "and once more on a round drawn from those that were timed. Modes, machines and dtypes are "
    "never compared with one another. A contender is green where it is the fastest, or where the "
    "rounds do not show that another is faster."
)


def page(title: str, sections: Iterable[str]) -> str:
    """The whole document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{GENERATOR}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{_LEAD}</p>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def heading(text: str, level: int) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def picture(shown: Picture) -> str:
    """A picture, dark where the reader's screen is."""
    return (
        f'<picture><source srcset="{escape(shown.dark)}" '
        f'media="(prefers-color-scheme: dark)">'
        f'<img src="{escape(shown.light)}" alt="{escape(shown.says)}" '
        f'width="{shown.width}" height="{shown.height}"></picture>'
    )


def facts(told: Mapping[str, Any]) -> str:
    """Names and what they are."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in told.items()
    )
    return f'<div class="wide"><table>{rows}</table></div>'


def at_a_glance(topics: Mapping[Topic, Sequence[Panel]]) -> str:
    """One row a subject: who won it."""
    body = "".join(_glance(panel, panels) for panels in topics.values() for panel in panels)
    head = _row(
        ("operation", "mode", "fastest", "time", "against the oracle", "error", "of roofline"),
        cell="th", numbers=3,
    )  # fmt: skip
    return f'<div class="wide"><table>{head}{body}</table></div>'


def figures(panels: Sequence[Panel]) -> str:
    """Every figure of a topic, folded away."""
    tables = "".join(_figures(panel) for panel in panels)
    return f'<details><summary>All figures</summary><div class="wide">{tables}</div></details>'


def excluded(panels: Sequence[Panel]) -> str:
    """Who got no time, and why; a reason is told once."""
    wrong: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for panel in panels:
        wrong.update((one.part, fault_of(one)) for one in panel.wrong)
        refused.update((one.part, str(one.refused)) for one in panel.refused)
    return _list("Wrong, so no time", wrong, "bad") + _list("Did not compete", refused, "soft")


def _glance(panel: Panel, panels: Sequence[Panel]) -> str:
    own = spelt(own_sizes(panel, panels))
    subject = f"{panel.topic.title}: {own}" if own else panel.topic.title
    exact = [one for one in panel.standings if one.is_exact]
    if not exact:
        why = "no exact contender" if panel.standings else "nobody got a time"
        return _row((subject, panel.topic.mode, why, "–", "–", "–", "–"), numbers=3)
    best, others = exact[0], [one.record.part for one in exact[1:] if one.wins]
    name = best.record.part + (f" (no slower: {', '.join(others)})" if others else "")
    return _row((subject, panel.topic.mode, name, *_figures_of(best)), numbers=3)


def _figures(panel: Panel) -> str:
    head = _row(
        ("contender", "provider", "time", "against the oracle", "error", "of roofline",
         "RMS error", "speed", "traffic", "memory", "rounds"),
        cell="th", numbers=2,
    )  # fmt: skip
    body = "".join(
        _row(
            (
                one.record.part,
                f"{one.record.provider} {one.record.version}",
                *_figures_of(one),
                *_more(one),
            ),
            numbers=2,
            row="best" if one.wins else "",
        )
        for one in panel.standings
    )
    return f"<p>{escape(spelt(panel.sizes))}</p><table>{head}{body}</table>"


def _figures_of(one: Standing) -> tuple[str, str, str, str]:
    reached = one.roofline_share
    return (
        seconds(one.median_s),
        gain_text(one),
        error_text(one),
        "–" if reached is None else share(reached),
    )


def _more(one: Standing) -> tuple[str, ...]:
    record, verdict = one.record, one.record.verdict
    memory = "–" if record.peak_bytes is None else f"{record.peak_bytes / 2**20:.1f} MiB"
    return (
        "–" if verdict is None else times(verdict.rms),
        rate(record.flops / one.median_s, "FLOP/s"),
        rate(record.bytes / one.median_s, "B/s"),
        memory,
        str(len(record.rounds_s)),
    )


def _row(cells: Sequence[str], *, numbers: int, cell: str = "td", row: str = "") -> str:
    """A row of a table; cells from ``numbers`` on are figures."""
    written = "".join(
        f"<{cell}{' class=number' if place >= numbers else ''}>{escape(text)}</{cell}>"
        for place, text in enumerate(cells)
    )
    return f'<tr class="{row}">{written}</tr>' if row else f"<tr>{written}</tr>"


def _list(head: str, entries: Counter[tuple[str, str]], style: str) -> str:
    items = "".join(
        f"<li><b>{escape(part)}</b> <span class={style}>{escape(why)}</span>"
        f"{f' ({count} sizes)' if count > 1 else ''}</li>"
        for (part, why), count in entries.items()
    )
    return f"<p>{head}:</p><ul>{items}</ul>" if items else ""
