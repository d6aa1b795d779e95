"""What measures compute is stored beside the curves, and does not change the curves."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from grokbench import SuiteError, open_results, parse_suite, run_suite
from grokbench.plugins import Plugins
from grokbench.record import Choice, Recipe, Record, Run, Status
from grokbench.schema import RESERVED
from grokbench.store.attributes import COORDINATE_ATTRIBUTES, VARIABLE_ATTRIBUTES
from grokbench.training import train
from tests.training.small_runs import MIXTURE, run

PLUGIN = Path(__file__).with_name("measuring_plugin.py")
PLUGINS = Plugins.load([PLUGIN])

SUITE = """
plugins = ["measuring_plugin.py"]

[recipes.short]
optimizer = "adamw"
steps = 40
evaluate_every = 10

[experiments.measured]
task = { name = "modular_addition", modulus = 11 }
architecture = "dense"
recipe = "short"
measures = ["seen", { name = "picky", above = 4 }]
model_sizes = [8, 16]
data_sizes = [40, 60]
seeds = 3

[experiments.plain]
task = { name = "modular_addition", modulus = 11 }
architecture = "dense"
recipe = "short"
model_sizes = [8]
data_sizes = [40]
seeds = 3
"""


def measured(one: Run, *names: str) -> Run:
    return replace(one, measures=tuple(Choice(name) for name in names))


def trained(*names: str, **given: Any) -> Record:
    [record] = train([measured(run(**given), *names)], PLUGINS)
    return record


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"task": MIXTURE, "architecture": "split_ffn"},
        {"architecture": Choice("dense", {"layer_norm": True})},
        {"architecture": "normalized"},
    ],
    ids=["factored", "prefix", "with layer norm", "with buffers"],
)
def test_a_snapshot_is_the_run_as_it_stands(given: dict[str, Any]) -> None:
    record = trained("seen", **given)
    assert Status.DONE is record.status
    seen = {name: curve.astype(float) for name, curve in record.measured.items()}
    assert record.steps.tolist() == seen["seen_step"].tolist()
    np.testing.assert_allclose(record.curves["parameter_norm"], seen["seen_norm"], rtol=1e-5)
    examples = np.array(record.examples["train"])
    accuracy = record.curves["train_accuracy"] @ examples / examples.sum()
    np.testing.assert_allclose(accuracy, seen["seen_accuracy"], atol=1e-6)
    assert seen["seen_alike"].max() < 1e-4


def test_random_numbers_are_the_runs_own_and_the_same_each_time() -> None:
    first, again, other = (trained("seen", seed=seed).measured["seen_noise"] for seed in (0, 0, 1))
    assert 1 == len(set(first.tolist()))
    assert first.tolist() == again.tolist()
    assert first[0] != other[0]


@pytest.mark.parametrize("names", [["seen"], ["vandal", "seen"]])
def test_what_is_measured_does_not_change_what_is_trained(names: list[str]) -> None:
    [plain] = train([run()], PLUGINS)
    record = trained(*names)
    for name, curve in plain.curves.items():
        assert curve.tobytes() == record.curves[name].tobytes()
    assert record.measured["seen_norm"][-1] > 0


def test_a_run_that_measures_is_another_run() -> None:
    assert 3 == len({run().id, measured(run(), "seen").id, measured(run(), "seen", "picky").id})


def test_stacked_runs_are_measured_as_they_would_be_alone() -> None:
    runs = [measured(run(seed=seed, data_size=data), "seen") for seed, data in ((0, 50), (1, 30))]
    alone = [record for one in runs for record in train([one], PLUGINS)]
    for one, other in zip(alone, train(runs, PLUGINS), strict=True):
        for name, curve in one.measured.items():
            np.testing.assert_allclose(curve, other.measured[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("misnamed", "the measure misnamed gives ['two']; write one number for each of ['one']"),
        ("wordy", "the measure wordy gives something that is no number"),
        ("several", "the measure several gives something that is no number"),
        ("pythonic", "the measure pythonic draws from Python's global random generator"),
    ],
)
def test_a_measure_that_breaks_its_contract_is_a_failure_that_says_how(
    name: str, words: str
) -> None:
    record = trained(name)
    assert Status.FAILED is record.status
    assert words in record.message


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.DataTree]:
    folder = tmp_path_factory.mktemp("results")
    suite = parse_suite(SUITE, "small.toml", [PLUGIN])
    run_suite(suite, folder, jobs=1)
    return folder, open_results(folder)


def test_variables_are_named_after_the_measure_and_say_what_they_are(
    results: tuple[Path, xr.DataTree],
) -> None:
    dataset = results[1]["measured"].to_dataset()
    sizes = dataset["picky_size"]
    assert ("model_size", "data_size", "seed", "step") == sizes.dims
    assert {"long_name": "hidden size", "units": "1", "ancillary_variables": "status"} == {
        **sizes.attrs
    }
    assert [8.0, 16.0] == sizes.isel(data_size=0, seed=0, step=-1).to_numpy().tolist()
    assert (dataset["seen_step"] == dataset["step"]).where(dataset["evaluated"] == 1, True).all()
    assert "seen_step" not in results[1]["plain"].to_dataset()
    assert [
        {"name": "seen", "options": {}, "version": 1},
        {"name": "picky", "options": {"above": 4}, "version": 1},
    ] == json.loads(dataset.attrs["measures"])


def test_training_goes_on_from_the_dataset_alone(
    results: tuple[Path, xr.DataTree], tmp_path: Path
) -> None:
    folder, tree = results
    (tmp_path / "small.nc").write_bytes((folder / "small.nc").read_bytes())
    sitting = run_suite(parse_suite(SUITE, "small.toml", [PLUGIN]), tmp_path)
    assert 0 == sitting.trained
    again = open_results(tmp_path)["measured"].to_dataset()
    xr.testing.assert_identical(tree["measured"].to_dataset(), again)


def test_a_run_cut_short_keeps_what_was_measured(tmp_path: Path) -> None:
    longer = SUITE.replace("steps = 40", "steps = 200")
    longer = longer.replace("evaluate_every = 10", "evaluate_every = 50")
    suite = parse_suite(longer, "small.toml", [PLUGIN])
    train = partial(run_suite, suite, only=["measured"], jobs=1)
    whole = train(tmp_path / "whole").tree["measured"].to_dataset()
    assert train(tmp_path / "cut", budget=0.3).remaining
    cut = train(tmp_path / "cut").tree["measured"].to_dataset()
    xr.testing.assert_identical(whole, cut)


@pytest.mark.parametrize(
    ("measures", "words"),
    [
        ('["sene"]', "there is no measure 'sene'; did you mean 'seen'?"),
        ('["picky"]', "write sizes of 9 or more"),
        ('["train"]', "would record 'train_loss', but that name is taken; rename"),
        ('["seen", "seen"]', "would record 'seen_norm', but that name is taken; rename"),
        ('"seen"', "should be a list, not 'seen'; write ['seen']"),
        ("[7]", "write a name, or a table"),
    ],
)
def test_a_suite_that_measures_wrongly_is_told_where(measures: str, words: str) -> None:
    text = SUITE.replace('["seen", { name = "picky", above = 4 }]', measures)
    with pytest.raises(SuiteError) as error:
        parse_suite(text, "small.toml", [PLUGIN])
    assert "experiments.measured.measures" in str(error.value)
    assert words in str(error.value)


def test_names_that_are_taken_are_those_of_the_dataset_and_of_fields_that_can_be_swept() -> None:
    assert {*VARIABLE_ATTRIBUTES, *COORDINATE_ATTRIBUTES, *Recipe.__annotations__} == RESERVED


LEARNING = """
from grokbench import Measure, hookimpl


class Learning(Measure):
    name = "learning"
    quantities = {"rate": "one half"}

    def measure(self, snapshot):
        return {"rate": 0.5}


@hookimpl
def register_measures(register):
    register(Learning)
"""
LEARNS = """
plugins = ["learning.py"]

[experiments.one]
task = { name = "modular_addition", modulus = 5 }
architecture = "dense"
recipe = { optimizer = "sgd", steps = 2, learning_rate = [1e-2, 1e-3] }
measures = ["learning"]
model_sizes = [4]
data_sizes = [10]
seeds = 1
"""


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("rate", "would record 'learning_rate', but that name is taken"),
        (
            "r" * 300,
            "would record 'learning_rrrrrrrrrrr…rrrrrrrr', but a name has at most 200 bytes, not 309",
        ),
    ],
)
def test_a_quantity_that_a_dataset_cannot_hold_is_refused(
    quantity: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "learning.py").write_text(LEARNING.replace('"rate"', f'"{quantity}"'))
    with pytest.raises(SuiteError) as error:
        parse_suite(LEARNS, "learns.toml", folder=tmp_path)
    (mistake,) = error.value.mistakes
    assert mistake.place == "experiments.one.measures[0]"
    assert mistake.message.startswith(words)


def test_a_quantity_that_was_renamed_shows_the_runs_as_failed_and_its_former_name_brings_them_back(
    tmp_path: Path,
) -> None:
    """As for other changes of a definition without a new version."""
    path, plugin = tmp_path / "learns.toml", tmp_path / "learning.py"
    path.write_text(LEARNS)
    plugin.write_text(LEARNING.replace('"rate"', '"half"'))
    first = run_suite(path, tmp_path / "out", jobs=1)
    assert 2 == first.trained
    plugin.write_text(LEARNING.replace('"rate"', '"share"'))
    renamed = run_suite(path, tmp_path / "out", jobs=1)
    assert (0, 2) == (renamed.trained, renamed.failed)
    dataset = renamed.tree["one"].to_dataset()
    message = str(dataset["message"].to_numpy().ravel()[0])
    assert "the quantities ['learning_half'], the measures now have ['learning_share']" in message
    assert "Raise the version" in message
    assert 2 == run_suite(path, tmp_path / "out", jobs=1).failed
    plugin.write_text(LEARNING.replace('"rate"', '"half"'))
    back = run_suite(path, tmp_path / "out", jobs=1)
    assert (0, 0) == (back.trained, back.failed)
    assert first.tree["one"].to_dataset().identical(back.tree["one"].to_dataset())


@pytest.mark.parametrize("quantities", [None, {}, {"two words": "x"}, {"one": 1}, ["one"]])
def test_a_measure_without_names_and_words_for_its_quantities_is_not_registered(
    quantities: Any, tmp_path: Path
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "from grokbench import Measure, hookimpl\n"
        "class Bad(Measure):\n"
        "    name = 'bad'\n"
        f"    quantities = {quantities!r}\n"
        "    def measure(self, snapshot):\n"
        "        return {}\n"
        "@hookimpl\n"
        "def register_measures(register):\n"
        "    register(Bad)\n"
    )
    assert "Bad.quantities is" in str(Plugins.load([file]).error(file))
