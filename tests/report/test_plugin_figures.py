"""Figures that the detectors of plugins bring."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from grokbench import Plugins, score, write_report
from grokbench.report import save_figures
from grokbench.suite.model import Claim, Rule, Suite
from tests.documented import saved
from tests.report.results import ADDITION, claim, four_zones, results, suite
from tests.report.test_page import Page

ROOT = Path(__file__).parents[2]

PLUGIN = """
from grokbench import Detector, Drawing, Finding, NotEnoughDataError, hookimpl


class Plain(Detector):
    name = "plain"

    def find(self, data):
        sizes = data["experiment"]["data_size"].to_numpy().tolist()
        return Finding(1.0, 0.5, 1.5, "oddness", 5, f"seen {sizes}", {"sizes": sizes})


class Drawn(Plain):
    name = "drawn"

    def figure(self, data, finding):
        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.subplots()
        shown = data["experiment"]["data_size"].to_numpy().tolist()
        axes.set_title(f"{shown} of {finding.details['sizes']}")
        return Drawing(figure, "My own figure", "My own caption.", "My own words.")


class Whole(Drawn):
    name = "whole"
    figure_spans = ("data_size",)


class Elsewhere(Plain):
    name = "elsewhere"
    drawn_by = f"{__name__}:draw"


def draw(detector, data, finding):
    return Drawn().figure(data, finding)


class Failing(Plain):
    name = "failing"

    def figure(self, data, finding):
        raise ValueError("no <b>ink</b> left")


class Unrenderable(Drawn):
    name = "unrenderable"

    def figure(self, data, finding):
        drawing = super().figure(data, finding)
        drawing.figure.suptitle("$\\\\no{such}$")
        return drawing


class Bare(Drawn):
    name = "bare"

    def figure(self, data, finding):
        return super().figure(data, finding).figure


class Leaving(Plain):
    name = "leaving"

    def figure(self, data, finding):
        raise SystemExit(0)


class Speechless(Plain):
    name = "speechless"

    def figure(self, data, finding):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no words")

        raise Mute


class Halved(Plain):
    name = "halved"

    def figure(self, data, finding):
        raise ValueError("caf\\udce9")


class Untitled(Drawn):
    name = "untitled"

    def figure(self, data, finding):
        return Drawing(super().figure(data, finding).figure, None, "A caption.", "Words.")


class Meddling(Drawn):
    name = "meddling"

    def figure(self, data, finding):
        import os

        os.chdir("/")
        data["experiment"]["status"][:] = 0
        finding.details["sizes"].append("changed")
        object.__setattr__(finding, "effect", -99.0)
        return super().figure(data, finding)


class Empty(Plain):
    name = "empty"

    def figure(self, data, finding):
        raise NotEnoughDataError("nothing is odd")


class Undrawn(Plain):
    name = "undrawn"

    def figure(self, data, finding):
        return None


@hookimpl
def register_detectors(register):
    for kind in (Plain, Drawn, Whole, Elsewhere, Failing, Unrenderable, Bare, Empty, Undrawn):
        register(kind)
    for kind in (Leaving, Speechless, Halved, Untitled, Meddling):
        register(kind)
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Plugins:
    file = tmp_path_factory.mktemp("plugin") / "odd.py"
    file.write_text(PLUGIN, encoding="utf-8")
    plugins = Plugins.load([file])
    assert plugins.error(file) is None
    return plugins


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return results(suite((), (ADDITION,)), {"addition": four_zones})


def at(detector: str, data_size: int) -> Claim:
    name = f"{detector}_{data_size}"
    return claim(name, detector, Rule(at_least=0.1), where={"data_size": data_size})


def reported(tree: xr.DataTree, plugins: Plugins, folder: Path, *claims: Claim) -> Page:
    of: Suite = suite(claims)
    path = write_report(tree, of, score(of, tree, plugins.detectors), folder / "report.html")
    return Page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("detector", ["drawn", "elsewhere"])
def test_the_figure_of_a_plugin_is_on_the_page_with_its_words(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path, detector: str
) -> None:
    page = reported(tree, plugins, tmp_path, at(detector, 350), at(detector, 450))
    for size in (350, 450):
        section = page.by_id(f"figure-{detector}_{size}")
        assert f"My own figure (addition at data size {size})" == section.all("h2")[0].text
        assert "My own caption." == section.all("figcaption")[0].text
        (image,) = section.all("div", role="img")
        assert "My own words." == image.attributes["aria-label"]
        assert f"[{size}] of [{size}]" in image.text


def test_a_figure_that_spans_a_dimension_is_shared_and_gets_all_of_it(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path
) -> None:
    page = reported(tree, plugins, tmp_path, at("whole", 350), at("whole", 450))
    section = page.by_id("figure-whole_350")
    assert 2 == len(section.all("div", class_="claim"))
    assert "[350, 450, 550, 650] of [350]" in section.text


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        ("failing", "The figure of detector 'failing' failed: ValueError: no <b>ink</b> left (odd"),
        ("unrenderable", "The figure of detector 'unrenderable' failed: ValueError: "),
        ("leaving", "The figure of detector 'leaving' failed: SystemExit: 0"),
        ("speechless", "The figure of detector 'speechless' failed: Mute (odd"),
        ("halved", "The figure of detector 'halved' failed: ValueError: caf\\udce9"),
        ("untitled", "TypeError: Drawing.title is NoneType; write a str"),
        ("bare", "figure() returned Figure; return a grokbench.Drawing, or None"),
        ("empty", "Nothing to draw: nothing is odd."),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_told_in_its_place_and_costs_no_other(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path, detector: str, words: str
) -> None:
    page = reported(tree, plugins, tmp_path, at(detector, 350), at("drawn", 350))
    section = page.by_id(f"figure-{detector}_350")
    assert words in section.text
    assert [] == section.all("figure")
    assert page.by_id("figure-drawn_350").all("figure")


def test_a_figure_changes_neither_the_results_nor_the_findings_nor_the_working_folder(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path
) -> None:
    here, before = Path.cwd(), tree["addition"].to_dataset().copy(deep=True)
    page = reported(tree, plugins, tmp_path, at("meddling", 350), at("drawn", 350))
    assert page.by_id("figure-meddling_350").all("figure")
    assert before.identical(tree["addition"].to_dataset())
    assert here == Path.cwd()
    assert "−99" not in page.root.text


@pytest.mark.parametrize(
    ("detector", "place"), [("plain", "addition"), ("undrawn", "addition at data size 350")]
)
def test_a_detector_that_draws_nothing_leaves_it_to_the_report(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path, detector: str, place: str
) -> None:
    section = reported(tree, plugins, tmp_path, at(detector, 350)).by_id(f"figure-{detector}_350")
    assert f"Accuracy against model size ({place})" == section.all("h2")[0].text


def test_figures_that_can_be_drawn_are_saved(
    tree: xr.DataTree, plugins: Plugins, tmp_path: Path
) -> None:
    of = suite([at("failing", 350), at("drawn", 350)])
    saved_files = save_figures(tree, score(of, tree, plugins.detectors), tmp_path, ["svg"])
    assert ["drawn_350.svg"] == [path.name for path in saved_files]


def test_the_documented_example_draws_its_figure(tree: xr.DataTree, tmp_path: Path) -> None:
    files = saved(ROOT / "docs" / "hooks" / "register_detectors.md")
    file = tmp_path / "benefit_of_size.py"
    file.write_text(files[file.name], encoding="utf-8")
    one = claim("size_helps", "benefit_of_size", Rule(at_least=0.1))
    section = reported(tree, Plugins.load([file]), tmp_path, one).by_id("figure-size_helps")
    assert "Benefit of size (addition)" == section.all("h2")[0].text
    assert "The rise of each of 5 seeds" in section.all("figcaption")[0].text
    assert section.all("figure")
