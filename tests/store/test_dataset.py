"""The assembled dataset: where everything is, what it means, and that nothing is lost in it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grokbench.record import Choice, ModelSize, Recipe, Status
from grokbench.schema import METRICS
from grokbench.store import Store, records_in

ADAMW = Choice("adamw", {"beta2": 0.98})


@pytest.fixture
def assemble(tmp_path, sitting):
    """Save the records, as one cohort, and assemble the suite."""
    store = Store(tmp_path / "small", "small")

    def assemble(suite, records):
        store.save("cohort", list(records))
        return store.assemble(suite, sitting())

    return assemble


def test_a_group_has_the_grid_and_the_types_that_the_documentation_names(assemble, suite, record):
    small = suite()
    tree = assemble(small, map(record, small.runs().values()))
    data = tree["addition"].to_dataset()
    grid = ("model_size", "data_size", "seed")
    assert {"model_size": 2, "data_size": 3, "seed": 2, "step": 7} == dict(data.sizes)
    expected = {
        **dict.fromkeys((*METRICS, "parameter_norm"), ((*grid, "step"), "float32")),
        "evaluated": ((*grid, "step"), "int8"),
        "status": (grid, "int8"),
        "train_examples": (grid, "int32"),
        "validation_examples": (grid, "int32"),
        "mirror_free_examples": (grid, "int32"),
    }
    text = {"run_id": grid, "message": grid}
    found = {name: (data[name].dims, str(data[name].dtype)) for name in expected}
    assert expected == found
    assert text == {name: data[name].dims for name in data.data_vars if name not in expected}
    assert "U" == data["run_id"].dtype.kind
    assert {
        "model_size",
        "data_size",
        "seed",
        "step",
        "hidden_size",
        "layers",
        "parameters",
    } == set(data.coords)
    assert [800, 1600] == data["parameters"].values.tolist()
    assert ("model_size",) == data["parameters"].dims
    assert [0, 1, 2, 4, 8, 16, 20] == data["step"].values.tolist()


def test_each_run_lies_at_its_own_place_in_the_grid(assemble, suite, record):
    small = suite()
    data = assemble(small, map(record, small.runs().values()))["addition"].to_dataset()
    run = next(
        run
        for run in small.runs().values()
        if (run.size.hidden_size, run.data_size, run.seed) == (16, 450, 1)
    )
    cell = data.sel(model_size=16, data_size=450, seed=1)
    assert run.id == cell["run_id"].item()
    for name in METRICS:
        np.testing.assert_array_equal(record(run).curves[name][:, 0], cell[name].values)
    assert 961 - 450 == cell["validation_examples"].item()


def test_a_nan_is_always_explained(assemble, suite, record):
    small = suite()
    done, diverged, failed, *_ = small.runs().values()
    tree = assemble(
        small, [record(done), record(diverged, Status.DIVERGED), record(failed, Status.FAILED)]
    )
    data = tree["addition"].to_dataset()
    status = data["status"]
    meanings = dict(
        zip(status.flag_meanings.split(), status.attrs["flag_values"].tolist(), strict=True)
    )
    assert {"not_run": 0, "done": 1, "diverged": 2, "failed": 3} == meanings
    assert [1, 2, 3, *[0] * 9] == status.values.ravel().tolist()
    assert (status == Status.DONE).equals(data["validation_loss"].notnull().all("step"))
    assert "RuntimeError: out of memory" == data["message"].values.ravel()[2]
    assert [run.id for run in small.runs().values()] == data["run_id"].values.ravel().tolist()


def test_attributes_follow_cf(assemble, suite, record):
    small = suite()
    tree = assemble(small, map(record, small.runs().values()))
    assert "CF-1.12" == tree.attrs["Conventions"]
    assert "A small suite" == tree.attrs["title"]
    assert "Huang et al. 2024, arXiv:2402.15175" == tree.attrs["references"]
    data = tree["addition"].to_dataset()
    for name, variable in data.variables.items():
        assert variable.attrs["long_name"], name
        if variable.dtype.kind in "if" and "flag_values" not in variable.attrs:
            assert "1" == variable.attrs["units"], name
        for limit in {"valid_min", "valid_range", "flag_values"} & variable.attrs.keys():
            assert variable.dtype == np.asarray(variable.attrs[limit]).dtype, name
        for other in variable.attrs.get("ancillary_variables", "").split():
            assert other in data, name
    assert [0, 1] == data["validation_accuracy"].attrs["valid_range"].tolist()
    assert "realization" == data["seed"].attrs["standard_name"]
    assert data["validation_loss"].encoding["zlib"]


def test_a_group_says_what_the_experiment_was(assemble, suite, experiment):
    sweep = {"learning_rate": (1e-3, 1e-2)}
    tree = assemble(suite(experiment(swept=sweep)), [])
    attributes = tree["addition"].attrs
    assert "Addition" == attributes["title"]
    assert {"name": "modular_addition", "options": {"modulus": 31}, "version": 1} == json.loads(
        attributes["task"]
    )
    assert {"heads": 4} == json.loads(attributes["architecture"])["options"]
    assert ([1e-3, 1e-2], 20) == tuple(
        json.loads(attributes["recipe"])[field] for field in ("learning_rate", "steps")
    )


def test_swept_fields_are_coordinates_of_numbers_or_text(assemble, suite, experiment, record):
    swept = {
        "optimizer": (ADAMW, Choice("sgd", {"momentum": 0.9})),
        "learning_rate": (1e-3, 1e-2),
        "decay_on": ("all", "matrices"),
    }
    small = suite(experiment(swept=swept, model_sizes=(ModelSize(8),), data_sizes=(350,)))
    data = assemble(small, map(record, small.runs().values()))["addition"].to_dataset()
    assert (*swept, "model_size", "data_size", "seed") == data["status"].dims
    assert ["adamw", "sgd"] == data["optimizer"].values.tolist()
    assert [1e-3, 1e-2] == data["learning_rate"].values.tolist()
    cell = data.sel(optimizer="sgd", learning_rate=1e-2, decay_on="matrices", seed=1)
    recipe = next(
        run.recipe for run in small.runs().values() if run.id == cell["run_id"].values.item()
    )
    assert ("sgd", 1e-2, "matrices") == (
        recipe.optimizer.name,
        recipe.learning_rate,
        recipe.decay_on,
    )


def test_two_optimizers_of_one_name_are_told_apart_by_their_options(assemble, suite, experiment):
    swept = {"optimizer": (Choice("adamw", {"beta2": 0.98}), Choice("adamw", {"beta2": 0.999}))}
    data = assemble(suite(experiment(swept=swept)), [])["addition"]
    assert ["adamw(beta2=0.98)", "adamw(beta2=0.999)"] == data["optimizer"].values.tolist()


@pytest.mark.parametrize("field", ["steps", "evaluate_every"])
def test_runs_of_different_schedules_share_the_union_of_their_steps(
    assemble, suite, experiment, record, field
):
    small = suite(experiment(swept={field: (12, 20)}))
    data = assemble(small, map(record, small.runs().values()))["addition"].to_dataset()
    schedules = [
        replace(Recipe(ADAMW, 20, evaluate_every=8), **{field: value}).evaluation_steps()
        for value in (12, 20)
    ]
    assert sorted({*schedules[0], *schedules[1]}) == data["step"].values.tolist()
    for schedule, value in zip(schedules, (12, 20), strict=True):
        cells = data.sel({field: value})
        inside = np.isin(data["step"], schedule)
        assert cells["train_loss"].isel(step=inside).notnull().all()
        assert cells["train_loss"].isel(step=~inside).isnull().all()
        assert inside.tolist() == cells["evaluated"].values[0, 0, 0].astype(bool).tolist()


def test_parts_are_a_dimension_where_there_is_more_than_one(assemble, suite, record):
    small = suite()
    first, second, *_ = small.runs().values()
    parts = ("addition", "subtraction")
    tree = assemble(small, [record(first, parts=parts), record(second, Status.FAILED)])
    data = tree["addition"].to_dataset()
    assert ("model_size", "data_size", "seed", "step", "part") == data["train_loss"].dims
    assert ("model_size", "data_size", "seed", "part") == data["train_examples"].dims
    assert list(parts) == data["part"].values.tolist()
    assert "part" not in data["parameter_norm"].dims
    assert [350, 351] == data["train_examples"].values[0, 0, 0].tolist()
    assert [0, 0] == data["train_examples"].values[0, 0, 1].tolist()


def test_model_sizes_of_several_layers_are_labelled_as_in_the_suite(assemble, suite, experiment):
    sizes = (ModelSize(64), ModelSize(1024, 8))
    data = assemble(suite(experiment(model_sizes=sizes)), [])["addition"]
    assert ["64", "8x1024"] == data["model_size"].values.tolist()
    assert ([64, 1024], [1, 8]) == (
        data["hidden_size"].values.tolist(),
        data["layers"].data.tolist(),
    )
    assert [0, 0] == data["parameters"].values.tolist()


def test_runs_that_experiments_share_are_in_each(assemble, suite, experiment, record):
    small = suite(experiment("first"), experiment("second", seeds=(1, 2)))
    tree = assemble(small, map(record, small.runs().values()))
    first, second = (tree[name].to_dataset().sel(seed=1) for name in ("first", "second"))
    assert first.drop_attrs().identical(second.drop_attrs())


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_dataset_gives_back_the_records_it_was_made_from(
    suite, experiment, record, sitting, bits, data
):
    parts = data.draw(st.sampled_from([("all",), ("addition",), ("addition", "subtraction")]))
    swept = data.draw(
        st.sampled_from([{}, {"steps": (3, 20)}, {"learning_rate": (1e-3, 1.0), "steps": (4, 5)}])
    )
    small = suite(
        experiment("first", swept=swept),
        experiment("second", swept=swept, seeds=(1, 2), data_sizes=(350, 600)),
    )
    statuses = st.sampled_from(Status)
    records = []
    for run in small.runs().values():
        status = data.draw(statuses)
        if status is not Status.NOT_RUN:
            made = record(run, status, parts, message=data.draw(st.sampled_from(["", "é\n  ½"])))
            patterns = data.draw(st.sampled_from([0x7FC00000, 0xFFC00001, 0x7F800000, 0x80000000]))
            for curve in made.curves.values():
                curve.view(np.uint32)[:1] = patterns
            records.append(made)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "small")
        store.save("cohort", records)
        tree = store.assemble(small, sitting())
    assert bits({record.run_id: record for record in records}) == bits(records_in(tree))


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_the_same_records_make_the_same_bytes_in_whatever_order_they_were_saved(
    suite, record, sitting, data
):
    small = suite()
    records = [record(run) for run in small.runs().values()]
    shuffled = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(records)))
    with tempfile.TemporaryDirectory() as folder:
        once, twice = Store(Path(folder) / "once", "small"), Store(Path(folder) / "twice", "small")
        once.save("cohort", records)
        twice.save("b", shuffled[:cut])
        twice.save("a", shuffled[cut:])
        for store in (once, twice):
            store.assemble(small, sitting())
        assert once.path.read_bytes() == twice.path.read_bytes()
