"""What docs/plugins.md and docs/suites.md show is true, and nothing of the contract is left out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from grokbench import ModelSize, Streams, hookspecs, plan_suite, run_suite
from grokbench.definition import Definition
from grokbench.plugins import COMMAND_GROUP, DEFINITION_GROUP, HOOKS, Plugins
from grokbench.record import Recipe
from grokbench.suite import load_suite
from grokbench.suite.schema import ClaimTable, ExperimentTable
from tests.documented import saved, written

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / "tests/training/odd_plugin.py"
PLUGINS = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
SUITES = (ROOT / "docs/suites.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """Where the files that docs/plugins.md says to save are."""
    written(saved(ROOT / "docs/plugins.md"), tmp_path)
    return tmp_path


def test_the_first_plugin_is_short():
    code = [line for line in saved(ROOT / "docs/plugins.md")["cube.py"].splitlines() if line]
    assert len(code) <= 10


def test_the_documented_plugin_serves_the_documented_suite(folder):
    suite = load_suite(folder / "cube.toml")
    assert 10 == len(suite.runs())
    plugins, file = suite.plugins, str(suite.plugins.files[0])
    assert file == plugins.tasks.origin("modular_cube")
    assert [None] == [o.error for o in plugins.origins() if o.name == file]


def test_the_documented_task_asks_what_it_says(folder):
    task = Plugins.load([folder / "cube.py"]).tasks["modular_cube"].from_options({"modulus": 3})
    examples = task.examples(5, Streams(0))
    assert [0, 1, 2, 1, 2, 0, 2, 0, 1] == examples.labels.tolist()


def test_the_documented_operation_is_asked_where_it_is_defined(folder):
    kind = Plugins.load([folder / "power.py"]).tasks["modular_power"]
    examples = kind.from_options({"modulus": 5}).examples(9, Streams(0))
    pairs = [(a, b) for a in range(1, 5) for b in range(5)]
    assert [[a, b, 5] for a, b in pairs] == examples.inputs.tolist()
    assert [pow(a, b, 5) for a, b in pairs] == examples.labels.tolist()
    trained = {pair for pair, trains in zip(pairs, examples.train, strict=True) if trains}
    free = [(b, a) not in trained or pow(a, b, 5) != pow(b, a, 5) for a, b in pairs]
    assert [f and p not in trained for f, p in zip(free, pairs, strict=True)] == (
        examples.mirror_free.tolist()
    )
    assert "1 to 20" in kind.from_options({"modulus": 5}).check(21)


def test_the_documented_claim_comes_out(folder):
    sitting = run_suite(folder / "cube.toml", folder / "out", jobs=1)
    assert [True] == [verdict.expected for verdict in sitting.verdicts]


def test_the_documented_architecture_is_stacked_and_learns_the_documented_task(folder):
    suite = folder / "perceptron.toml"
    assert () == plan_suite(suite, folder / "out", measure=False).notes
    sitting = run_suite(suite, folder / "out", jobs=1)
    assert (10, 0) == (sitting.trained, sitting.failed)
    accuracy = sitting.tree["cube"]["train_accuracy"]
    assert accuracy.isel(step=-1).min() > 0.9


def test_the_documented_architecture_refuses_what_it_cannot_embed(folder):
    plugins, others = Plugins.load([folder / "perceptron.py"]), Plugins.load([VECTORS])
    refuses = plugins.architectures["perceptron"]().refuses
    assert refuses(plugins.tasks["modular_addition"](), ModelSize(8)) is None
    answer = refuses(others.tasks["teacher"](), ModelSize(8))
    assert "choose a task whose inputs are tokens" in answer


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PLUGINS)
    assert [] == [link for link in links if not (ROOT / "docs" / link).exists()]


def test_all_that_a_definition_has_is_documented():
    members = [name for name in Definition.__annotations__ if name[0] != "_"]
    assert [] == [name for name in members if f"| `{name}` |" not in PLUGINS]


def test_the_documented_suite_has_no_mistakes(tmp_path):
    file = tmp_path / "suite.toml"
    file.write_text(blocks(SUITES, "toml")[0], encoding="utf-8")
    suite = load_suite(file)
    assert "little" == suite.name
    assert ("learning_rate", "model_size", "data_size", "seed") == (
        suite.experiments["rates"].dimensions
    )


def test_every_hook_is_documented_and_in_a_group():
    hooks = {name: f for name, f in vars(hookspecs).items() if name.startswith("register_")}
    assert set(hooks) == {hook for group in HOOKS.values() for hook in group}
    for name, function in hooks.items():
        assert f"`{name}({', '.join(inspect.signature(function).parameters)})`" in PLUGINS


def test_the_documented_entry_point_groups_are_those_that_are_read():
    announced = blocks(PLUGINS, "toml")[2]
    assert f"[project.entry-points.{DEFINITION_GROUP}]" in announced
    assert f'[project.entry-points."{COMMAND_GROUP}"]' in announced


def test_every_key_of_a_suite_is_documented():
    keys = [*Recipe.__annotations__, *ExperimentTable.model_fields, *ClaimTable.model_fields]
    assert [] == [key for key in keys if f"`{key}`" not in SUITES and f"`{key} =" not in SUITES]


def test_the_documented_defaults_are_the_recipes():
    row = r"^\| `(\w+)` \| `?\"?([\w.]+)\"?`? \|"
    documented = {
        field: default
        for field, default in re.findall(row, SUITES, re.MULTILINE)
        if field in Recipe.__annotations__
    }
    defaults = {field: getattr(Recipe, field, "required") for field in Recipe.__annotations__}
    assert defaults.pop("batch_size") is None
    assert "| `batch_size` | all examples |" in SUITES
    assert documented == {field: str(default) for field, default in defaults.items()}
