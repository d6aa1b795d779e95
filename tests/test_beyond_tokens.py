"""What docs/beyond-tokens.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grokbench import load_suite, plan_suite, run_suite
from grokbench.architectures import CNN, MLP
from grokbench.tasks import ImageClassification, TeacherStudent
from grokbench.tasks.image_sets import IMAGE_SETS
from grokbench.testing import checks_for
from tests.documented import saved, written

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/beyond-tokens.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files that the page says to save are."""
    written(saved(PAGE), tmp_path)
    return tmp_path


def test_a_task_of_ones_own_images_and_a_network_are_25_lines() -> None:
    assert 25 >= len([line for line in saved(PAGE)["stripes.py"].splitlines() if line])


def test_both_networks_learn_ones_own_images(folder: Path) -> None:
    assert () == plan_suite(folder / "stripes.toml", folder / "out", measure=False).notes
    sitting = run_suite(folder / "stripes.toml", folder / "out", jobs=1)
    assert (6, 0) == (sitting.trained, sitting.failed)
    for name in ("own", "built_in"):
        last = sitting.tree[name]["validation_accuracy"].isel(step=-1)
        assert last.min() > 0.8, name


def test_the_plugin_of_the_page_keeps_its_contract(folder: Path) -> None:
    suite = load_suite(folder / "stripes.toml")
    task = suite.plugins.tasks["stripes"]
    architecture = suite.plugins.architectures["small_cnn"]
    for check in (*checks_for(task), *checks_for(architecture, tasks=[task()])):
        if check.name != "gives_the_same_in_another_process":
            check()


def test_the_suites_of_the_page_have_no_mistakes(folder: Path) -> None:
    assert 4 == len(load_suite(folder / "digits.toml").runs())
    assert 9 == len(load_suite(folder / "students.toml").runs())


@pytest.mark.parametrize(
    "definition", [ImageClassification, TeacherStudent, MLP, CNN], ids=lambda one: one.name
)
def test_every_option_is_on_the_page(definition: type) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [] == [name for name in definition.Options.model_fields if f"`{name}`" not in text]


def test_every_set_is_on_the_page_with_its_folders() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for one in IMAGE_SETS.values():
        assert f'`"{one.name}"`' in text
        assert [] == [folder for folder in one.folders if folder not in text]


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [] == [link for link in links if not (PAGE.parent / link).exists()]
