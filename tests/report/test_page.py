"""The page has every verdict and every figure, and loads nothing."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import xarray as xr

from grokbench.claims import Outcome, Summary, Verdict
from grokbench.phenomena import Finding
from grokbench.record import Status
from grokbench.report import save_figures, write_report
from grokbench.suite.model import Rule, Suite
from tests.phenomena.worlds import NOT_RUN, Run
from tests.report.results import (
    ADDITION,
    CAPACITY,
    claim,
    experiment,
    four_zones,
    judged,
    random_labels,
    results,
    suite,
)

LATER = experiment("later", "modular_square")
CLAIMS = (
    claim("dip", "double_descent", where={"data_size": 350}),
    claim("no_dip", "double_descent", Rule(at_most=0.1), where={"data_size": 650}),
    claim("falls", "critical_data_size", where={"model_size": [16, 32, 64]}),
    claim("holds", "memorization_capacity", experiments={"experiment": "random_labels"}),
    claim(
        "zones",
        "zone_prediction",
        experiments={"memorization": "random_labels", "target": "addition"},
    ),
    claim("norm_falls", "norm_change", Rule(at_most=0), options={"dynamics": "grokking"}),
    claim("norm_rises", "norm_change", Rule(at_least=0), options={"dynamics": "progression"}),
    claim("not_yet", "double_descent", experiments={"experiment": "later"}),
)
NAMED = {one.name: one for one in CLAIMS}
SUITE = suite(CLAIMS, (ADDITION, CAPACITY, LATER))
SITTING = {"device": "cpu", "grokbench": "0.1.0", "finished": "2026-11-21T11:00:00+00:00"}
VOID = {"meta", "link", "br", "hr", "img", "input"}


def partly_failed(size: int, data_size: int, seed: int) -> Run:
    if (size, data_size) == (16, 450):
        return Run(status=Status.FAILED) if seed == 0 else NOT_RUN
    return four_zones(size, data_size, seed)


def tree_of(one: Suite) -> xr.DataTree:
    runs = {"addition": partly_failed, "random_labels": random_labels, "later": lambda *_: NOT_RUN}
    return results(one, runs, {"sittings": [SITTING]})


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        found = [
            e
            for child in self.children
            if isinstance(child, Element)
            for e in [child, *child.all()]
        ]
        return [
            e
            for e in found
            if tag in ("", e.tag)
            and all(
                value in e.attributes.get(k.rstrip("_"), "").split()
                for k, value in attributes.items()
            )
        ]

    @property
    def text(self) -> str:
        return " ".join(
            " ".join(c if isinstance(c, str) else c.text for c in self.children).split()
        )


class Page(HTMLParser):
    """Parses a page into elements; fails if elements are not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.root = Element("root", {})
        self._open = [self.root]
        self.feed(source)
        self.close()
        assert [self.root] == self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag, f"</{tag}> closes what was opened last"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def by_id(self, name: str) -> Element:
        (found,) = [e for e in self.root.all() if e.attributes.get("id") == name]
        return found


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return tree_of(SUITE)


@pytest.fixture(scope="module")
def verdicts(tree: xr.DataTree) -> tuple[Verdict, ...]:
    return judged(SUITE, tree)


@pytest.fixture(scope="module")
def source(
    tree: xr.DataTree, verdicts: tuple[Verdict, ...], tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert path == write_report(tree, SUITE, verdicts, path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_identifiers_are_unique(page: Page) -> None:
    counts = Counter(e.attributes["id"] for e in page.root.all() if "id" in e.attributes)
    assert [] == [name for name, count in counts.items() if count > 1]


def test_every_reference_stays_on_the_page_and_leads_somewhere(page: Page, source: str) -> None:
    known = {e.attributes["id"] for e in page.root.all() if "id" in e.attributes}
    references = [
        value
        for e in page.root.all()
        for name, value in e.attributes.items()
        if name.split(":")[-1] in {"href", "src", "srcset", "data", "action", "poster"}
    ] + re.findall(r"url\(([^)]*)\)", source)
    assert len(references) > 20
    assert [] == [reference for reference in references if reference[1:] not in known]
    assert {"#"} == {reference[0] for reference in references}


def test_nothing_is_loaded_and_nothing_runs(page: Page, source: str) -> None:
    tags = {e.tag for e in page.root.all()}
    assert set() == tags & {"script", "link", "iframe", "object", "embed", "img", "base"}
    assert set() == {n for e in page.root.all() for n in e.attributes if n.startswith("on")}
    assert "@import" not in source
    assert "http://" not in source
    assert "https://" not in source


def test_every_claim_has_its_verdict_and_leads_to_its_figure(
    page: Page, verdicts: tuple[Verdict, ...]
) -> None:
    assert len(CLAIMS) == len(verdicts)
    for verdict in verdicts:
        row = page.by_id(f"claim-{verdict.claim.name}")
        assert verdict.outcome.description in row.text
        assert verdict.reason in row.text
        assert verdict.claim.source in row.text
        (link,) = row.all("a")
        assert verdict.claim.statement == link.text
        section = page.by_id(link.attributes["href"][1:])
        assert verdict.claim.statement in section.text
        assert verdict.outcome.description in section.text
        drawn = bool(section.all("figure"))
        assert drawn is (verdict.outcome is not Outcome.NOT_RUN)


def test_the_page_says_how_sure_its_verdicts_are(page: Page, verdicts: tuple[Verdict, ...]) -> None:
    assert str(Summary.of(verdicts)) in page.by_id("verdicts").text


def test_every_figure_has_a_caption_and_words_for_who_does_not_see_it(page: Page) -> None:
    figures = page.root.all("figure")
    assert 5 == len(figures)
    for figure in figures:
        (caption,) = figure.all("figcaption")
        assert "seed" in caption.text
        (image,) = figure.all("div", role="img")
        assert len(image.attributes["aria-label"]) > 50
        assert image.all("svg")


def test_no_two_headings_are_the_same(page: Page) -> None:
    counts = Counter(heading.text for heading in page.root.all("h2"))
    assert [] == [heading for heading, count in counts.items() if count > 1]


def test_outcomes_differ_in_shape_as_well_as_in_colour(page: Page) -> None:
    shapes: dict[str, set[str]] = {}
    for span in page.root.all("span", class_="outcome"):
        (symbol,) = span.all("svg", class_="symbol")
        shape = str([(e.tag, e.attributes) for e in symbol.all()])
        shapes.setdefault(span.attributes["class"], set()).add(shape)
    assert len(shapes) > 1
    assert all(len(own) == 1 for own in shapes.values())
    assert len(shapes) == len(set.union(*shapes.values()))


def test_a_finding_has_its_numbers_and_its_bar(page: Page, verdicts: tuple[Verdict, ...]) -> None:
    for verdict in verdicts:
        row = page.by_id(f"claim-{verdict.claim.name}")
        bars = row.all("svg", class_="forest")
        assert (verdict.finding is not None) == bool(bars)
        if verdict.finding:
            assert verdict.finding.unit in row.text


def test_claims_that_differ_only_in_where_they_look_share_a_figure(page: Page) -> None:
    sections = page.root.all("section", class_="figure")
    groups = [[text.all("p")[0].text for text in s.all("div", class_="claim")] for s in sections]
    statements = {name: f"Claim: {one.statement} ({one.source})" for name, one in NAMED.items()}
    assert [statements["dip"], statements["no_dip"]] in groups
    assert [statements["norm_falls"], statements["norm_rises"]] in groups
    assert sorted(statements.values()) == sorted(one for group in groups for one in group)


def test_what_was_not_run_is_said_to_be_missing(page: Page) -> None:
    section = page.by_id("figure-not_yet")
    assert "Nothing to draw: no finished run in later." in section.text


def test_runs_are_counted_and_those_that_failed_are_listed_with_their_message(page: Page) -> None:
    experiments = page.by_id("experiments")
    row = next(r for r in experiments.all("tr") if "Addition" in r.text)
    assert ["4", "95", "–", "1"] == [cell.text for cell in row.all("td", class_="count")]
    assert "model size 16, data size 450, seed 0" in experiments.text
    assert "ValueError: <b>no</b> such label & more" in experiments.text


def test_the_page_says_where_the_results_come_from(page: Page) -> None:
    assert "grokbench 0.1.0 on cpu, finished 2026-11-21 11:00 UTC" in page.root.text
    assert SUITE.text.strip() in page.by_id("provenance").all("pre")[0].text


def test_the_same_results_give_the_same_bytes(
    tree: xr.DataTree, verdicts: tuple[Verdict, ...], source: str, tmp_path: Path
) -> None:
    again = write_report(tree, SUITE, verdicts, tmp_path / "again.html")
    assert source.encode() == again.read_bytes()


def test_results_without_claims_experiments_or_provenance_make_a_page(tmp_path: Path) -> None:
    empty = suite((), (ADDITION,))
    path = write_report(xr.DataTree(), empty, (), tmp_path / "report.html")
    text = Page(path.read_text(encoding="utf-8")).root.text
    assert "The suite makes no claims." in text
    assert "100" in text


def test_an_experiment_that_is_absent_does_not_cost_the_others(
    verdicts: tuple[Verdict, ...], tree: xr.DataTree, tmp_path: Path
) -> None:
    less = xr.DataTree.from_dict({"/random_labels": tree["random_labels"].to_dataset()})
    path = write_report(less, SUITE, verdicts, tmp_path / "report.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert "no results of addition" in page.by_id("figure-dip").text
    assert page.by_id("figure-holds").all("figure")


def test_a_detector_that_brings_no_figure_gets_one_of_what_was_varied(
    tree: xr.DataTree, tmp_path: Path
) -> None:
    theirs = claim("odd", "their_detector", options={"metric": "oddness"})
    finding = Finding(1.0, 0.5, 1.5, unit="oddness", seeds=5, evidence="it is odd")
    of_theirs = replace(SUITE, claims={"odd": theirs})
    verdict = Verdict(theirs, Outcome.REPRODUCED, finding, "it is odd")
    path = write_report(tree, of_theirs, (verdict,), tmp_path / "report.html")
    section = Page(path.read_text(encoding="utf-8")).by_id("figure-odd")
    assert section.all("figure")


def test_figures_are_saved_one_by_one_and_are_the_same_every_time(
    tree: xr.DataTree, verdicts: tuple[Verdict, ...], tmp_path: Path
) -> None:
    two = [verdict for verdict in verdicts if verdict.claim.name in ("holds", "not_yet")]
    first = save_figures(tree, two, tmp_path / "first")
    second = save_figures(tree, two, tmp_path / "second")
    assert ["holds.svg", "holds.png"] == [path.name for path in first]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert first[0].read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert first[1].read_bytes().startswith(b"\x89PNG")
