"""`run_suite`: trains what is missing, stores it, scores it; and whatever stops it, goes on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr

import grokbench
from grokbench.errors import DeviceError, UnknownNameError
from grokbench.forecast import plan_suite
from grokbench.plan import Cohort
from grokbench.record import Status
from grokbench.session import Sitting, run_suite
from grokbench.store import provenance as provenance_of
from tests.clock import Clock
from tests.tiny_suites import Counter, assert_same_data

ODD = Path(__file__).parent / "training" / "odd_plugin.py"

SUITE = """
[recipes.short]
optimizer = "adamw"
learning_rate = 3e-3
steps = 60
evaluate_every = 20

[experiments.addition]
task = { name = "modular_addition", modulus = 11 }
architecture = "dense"
recipe = "short"
model_sizes = [4, 8]
data_sizes = [40, 60, 80]
seeds = 3

[experiments.memorization]
task = { name = "random_labels", modulus = 11 }
architecture = "dense"
recipe = "short"
model_sizes = [4, 8, 16]
data_sizes = [121]
seeds = 3

[claims.capacity]
statement = "Memorization capacity rises with model size"
detector = "memorization_capacity"
experiment = "memorization"
rule = { at_least = 0.1 }
minimum_seeds = 3
"""


def written(folder: Path) -> Path:
    """The suite `tiny.toml` in a folder."""
    path = folder / "tiny.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return written(tmp_path)


@dataclass(frozen=True, eq=False)
class Trained:
    """The suite, trained to its end in `folder / "out"`."""

    folder: Path
    sitting: Sitting

    @classmethod
    def by(cls, folder: Path, jobs: int) -> Trained:
        return cls(folder, run_suite(written(folder), folder / "out", jobs=jobs))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained in this process. Tests read it; those that change files take a copy (`out`)."""
    return Trained.by(tmp_path_factory.mktemp("whole"), jobs=1)


@pytest.fixture
def out(whole: Trained, tmp_path: Path, suite: Path) -> Path:
    """A copy of the results beside `suite`, complete."""
    return Path(shutil.copytree(whole.folder / "out", suite.parent / "out"))


def test_a_suite_is_trained_stored_and_scored(whole: Trained) -> None:
    sitting = whole.sitting
    assert 27 == sitting.trained
    assert (0, 0, False) == (sitting.remaining, sitting.failed, sitting.interrupted)
    dataset = sitting.tree["addition"].to_dataset()
    assert (dataset["status"] == int(Status.DONE)).all()
    assert {"model_size": 2, "data_size": 3, "seed": 3} == {
        name: dataset.sizes[name] for name in ("model_size", "data_size", "seed")
    }
    assert ["capacity"] == [verdict.claim.name for verdict in sitting.verdicts]
    assert (whole.folder / "out" / "verdicts.json").exists()
    opened = xr.open_datatree(whole.folder / "out" / "tiny.nc", engine="netcdf4")
    assert {"addition", "memorization"} == set(opened.children)
    opened.close()
    provenance = provenance_of(grokbench.open_results(whole.folder / "out"))
    assert "cpu" == provenance["sittings"][0]["device"]
    assert "torch" in provenance["sittings"][0]["packages"]


def test_the_same_call_again_trains_nothing(whole: Trained, suite: Path, out: Path) -> None:
    before = (out / "tiny.nc").read_bytes()
    watcher = Counter()
    again = run_suite(suite, out, jobs=1, watcher=watcher)
    assert (0, 0) == (again.trained, watcher.wanted)
    assert before == (out / "tiny.nc").read_bytes()
    assert_same_data(whole.sitting.tree, again.tree)


def test_settings_of_the_caller_change_no_number_and_are_kept(
    whole: Trained, suite: Path, tmp_path: Path
) -> None:
    """As in a notebook that computes in float64 on another device."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.no_grad():
            sitting = run_suite(suite, tmp_path / "elsewhere", jobs=1)
            assert not torch.is_grad_enabled()
        found = torch.get_default_dtype(), torch.get_default_device().type
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert (torch.float64, "meta") == found
    assert_same_data(whole.sitting.tree, sitting.tree)


def test_new_words_in_a_suite_are_taken_up_without_a_sitting(suite: Path, out: Path) -> None:
    before = provenance_of(grokbench.open_results(out))
    suite.write_text("# reworded\n" + suite.read_text())
    assert 0 == run_suite(suite, out, jobs=1).trained
    after = provenance_of(grokbench.open_results(out))
    assert suite.read_text() == after["suite"]["text"]
    assert 1 == len(after["sittings"])
    assert before["sittings"] == after["sittings"]


def test_a_sitting_that_was_killed_after_its_last_run_is_told_of_by_the_next(
    suite: Path, out: Path
) -> None:
    (out / "tiny.nc").unlink()
    assert 0 == run_suite(suite, out, jobs=1).trained
    assert 1 == len(provenance_of(grokbench.open_results(out))["sittings"])


def test_the_dataset_alone_is_enough_to_go_on_from(suite: Path, out: Path) -> None:
    for path in (out / "records").iterdir():
        path.unlink()
    assert 0 == run_suite(suite, out, jobs=1).trained


def test_worker_processes_give_the_same_bits_as_this_one(whole: Trained, tmp_path: Path) -> None:
    by_workers = Trained.by(tmp_path, jobs=2)
    assert 27 == by_workers.sitting.trained
    assert_same_data(whole.sitting.tree, by_workers.sitting.tree)


def test_an_interrupted_suite_keeps_what_is_finished_and_ends_with_the_same_bits(
    whole: Trained, suite: Path, tmp_path: Path
) -> None:
    cut = run_suite(suite, tmp_path / "cut", jobs=1, watcher=Counter(interrupt_after=2))
    assert cut.interrupted
    assert 27 == cut.trained + cut.remaining
    assert 0 < cut.trained < 27
    assert cut.remaining == sum(
        int((child["status"] == int(Status.NOT_RUN)).sum()) for child in cut.tree.children.values()
    )
    rest = run_suite(suite, tmp_path / "cut", jobs=1)
    assert 27 - cut.trained == rest.trained
    assert_same_data(whole.sitting.tree, rest.tree)


def test_only_and_seeds_train_a_part_of_the_suite(suite: Path, tmp_path: Path) -> None:
    part = run_suite(suite, tmp_path / "out", jobs=1, only=["memorization"], seeds=1)
    assert (3, 24) == (part.trained, part.remaining)
    with pytest.raises(grokbench.GrokbenchError, match="did you mean 'memorization'"):
        run_suite(suite, tmp_path / "out", only=["memorisation"])


def test_shards_of_different_machines_add_up(suite: Path, tmp_path: Path) -> None:
    parts = [run_suite(suite, tmp_path / "out", jobs=1, shard=(i, 2)) for i in (1, 2)]
    assert 27 == sum(part.trained for part in parts)
    assert 0 == parts[1].remaining


def test_without_any_budget_left_no_cohort_is_begun(suite: Path, tmp_path: Path) -> None:
    watcher = Counter()
    sitting = run_suite(suite, tmp_path / "out", jobs=1, budget=1e-6, watcher=watcher)
    assert (0, 0, 27) == (watcher.started_count, sitting.trained, sitting.remaining)
    assert [] == provenance_of(grokbench.open_results(tmp_path / "out"))["sittings"]


def test_a_failing_task_fails_alone_and_is_tried_again_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(
        f"""
        plugins = ["{ODD}"]
        [recipes.short]
        optimizer = "sgd"
        steps = 5
        [experiments.luck]
        task = "unlucky"
        architecture = "perceptron"
        recipe = "short"
        model_sizes = [4]
        data_sizes = [20]
        seeds = 3
        """
    )
    sitting = run_suite(path, tmp_path / "out", jobs=1)
    assert (3, 1) == (sitting.trained, sitting.failed)
    messages = sitting.tree["luck"]["message"].to_numpy().ravel().tolist()
    assert ["", "ValueError: seed 1 is unlucky (odd_plugin.py, line 50)", ""] == messages
    assert 0 == run_suite(path, tmp_path / "out", jobs=1).trained
    assert 1 == run_suite(path, tmp_path / "out", jobs=1, retry_failed=True).trained


def test_a_plan_says_what_is_missing_and_what_it_will_take_and_stores_nothing(
    whole: Trained, suite: Path, tmp_path: Path
) -> None:
    forecast = plan_suite(suite, tmp_path / "out", measure=False)
    assert [18, 9] == [one.missing for one in forecast.plan.experiments]
    assert forecast.disk > 27 * 4 * 6 * 5
    assert (None, ()) == (forecast.seconds, forecast.notes)
    measured = plan_suite(suite, tmp_path / "out", only=["memorization"])
    assert measured.seconds is not None
    assert measured.seconds > 0
    assert () == measured.notes
    assert not (tmp_path / "out").exists()
    forecast = plan_suite(suite, whole.folder / "out")
    assert (0, 0) == (len(forecast.plan.missing), forecast.disk)


@pytest.mark.parametrize(
    "cut",
    [
        {"only": ["memorization"]},
        {"seeds": 1, "jobs": 1},
        {"shard": (1, 2), "jobs": 1},
        {"seeds": 2, "jobs": 1},
    ],
)
def test_a_plan_is_cut_as_a_sitting_is(suite: Path, tmp_path: Path, cut: dict[str, Any]) -> None:
    forecast = plan_suite(suite, tmp_path / "out", measure=False, **cut)
    sitting = run_suite(suite, tmp_path / "out", **cut)
    assert 0 < sitting.trained < 27
    assert sitting.trained == sum(len(cohort.runs) for cohort in forecast.cohorts)
    forecast = plan_suite(suite, tmp_path / "out", **cut)
    assert ((), None) == (forecast.cohorts, forecast.seconds)
    assert forecast.plan.missing


@pytest.mark.parametrize("use", [run_suite, plan_suite])
def test_an_experiment_that_the_suite_does_not_have_is_a_mistake(
    use: Callable[..., object], suite: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match="no experiment 'adition'; did you mean 'addition'"):
        use(suite, tmp_path / "out", only=["adition"])
    assert not (tmp_path / "out").exists()


def test_a_plan_says_which_models_cannot_be_stacked_and_why(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(
        f"""
        plugins = ["{ODD}"]
        [recipes.short]
        optimizer = "sgd"
        steps = 5
        [experiments.recurrent]
        task = {{ name = "modular_addition", modulus = 7 }}
        architecture = "lstm"
        recipe = "short"
        model_sizes = [4]
        data_sizes = [20]
        seeds = 3
        """
    )
    [note] = plan_suite(path, tmp_path / "out", measure=False).notes
    assert "one run after the other" in note
    assert "lstm" in note


def test_a_damaged_record_file_is_set_aside_and_its_runs_are_trained_again(
    whole: Trained, suite: Path, out: Path
) -> None:
    (out / "tiny.nc").unlink()
    victim = sorted((out / "records").glob("*.nc"))[0]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    again = run_suite(suite, out, jobs=1)
    assert 1 == len(again.damaged)
    assert 0 < again.trained < 27
    assert_same_data(whole.sitting.tree, again.tree)


@pytest.mark.parametrize("kind", [[], ["--sequential"]])
def test_a_suite_killed_at_any_change_of_its_files_ends_with_the_bits_of_one_never_killed(
    tmp_path: Path, kind: list[str]
) -> None:
    killed = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_trainer.py"), tmp_path, *kind],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(killed.stdout)
    *exits, last = told["exits"]
    assert ({-signal.SIGKILL}, 0) == (set(exits), last)
    assert len(exits) > 4
    assert any(step and step > 1 for step in told["first_steps"]), "none went on from a checkpoint"
    whole, cut = (grokbench.open_results(tmp_path / name) for name in ("whole", "cut"))
    assert_same_data(whole, cut)
    verdicts = [(tmp_path / name / "verdicts.json").read_bytes() for name in ("whole", "cut")]
    assert verdicts[0] == verdicts[1]
    assert not (tmp_path / "cut" / "checkpoints").exists()


class Strikes(Counter):
    """Lets the time run out when the second cohort has been evaluated after 64 steps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.first_step: int | None = None

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        if self.first_step is None:
            self.first_step = step
        if (self.started_count, step) == (2, 64):
            self.clock.strike()


def test_a_budget_cuts_a_cohort_which_goes_on_to_the_same_bits(
    suite: Path, tmp_path: Path, clock: Clock
) -> None:
    """The second of two cohorts is cut long before its end."""
    text = suite.read_text().replace("steps = 60", "steps = 1000").replace("[4, 8, 16]", "[4, 8]")
    suite.write_text(text.replace("evaluate_every = 20", "evaluate_every = 1000"))
    only = ["memorization"]
    whole = run_suite(suite, tmp_path / "whole", jobs=1, only=only)
    out, watcher = tmp_path / "cut", Strikes(clock)
    cut = run_suite(suite, out, jobs=1, only=only, budget=1000, watcher=watcher)
    done = int((cut.tree["memorization"]["status"] == int(Status.DONE)).sum())
    assert (False, 2, 2) == (cut.interrupted, watcher.started_count, watcher.finished_count)
    assert done == cut.trained == watcher.runs == 6 - cut.unfinished == 3
    assert () == cut.lost
    assert 1 == len(list((out / "checkpoints").iterdir()))
    watcher = Strikes(clock)
    rest = run_suite(suite, out, jobs=1, only=only, watcher=watcher)
    assert watcher.first_step is not None
    assert watcher.first_step > 64, "the cohort began again"
    assert 3 == rest.trained
    assert_same_data(whole.tree, rest.tree)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta"])
def test_an_absent_device_is_a_mistake_and_nothing_is_written(
    suite: Path, tmp_path: Path, device: str
) -> None:
    for use in (run_suite, plan_suite):
        with pytest.raises(DeviceError, match=f"device '{device}' cannot be used: .*; write cpu"):
            use(suite, tmp_path / "out", device=device)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["gpu", "gpu:0", "nvidia"])
def test_a_gpu_by_another_name_is_a_mistake_that_names_cuda(
    suite: Path, tmp_path: Path, device: str
) -> None:
    with pytest.raises(DeviceError, match=f"device '{device}' cannot .*; did you mean 'cuda'"):
        run_suite(suite, tmp_path / "out", device=device)
    assert not (tmp_path / "out").exists()


def test_tf32_where_there_is_none_is_a_mistake_and_nothing_is_written(
    suite: Path, tmp_path: Path
) -> None:
    suite.write_text(suite.read_text().replace("steps =", 'precision = "tf32"\nsteps ='))
    with pytest.raises(DeviceError, match=r"precision 'tf32' is not available: cpu has no TF32"):
        run_suite(suite, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_experiments_in_a_precision_that_can_be_had_are_named_trained_and_planned(
    suite: Path, tmp_path: Path
) -> None:
    only_here = 'model_sizes = [4, 8, 16]\nrecipe = { from = "short", precision = "tf32" }'
    text = suite.read_text().replace('recipe = "short"\nmodel_sizes = [4, 8, 16]', only_here)
    suite.write_text(text)
    forecast = plan_suite(suite, tmp_path / "out", measure=False)
    assert [note for note in forecast.notes if note.startswith("9 runs ask for precision 'tf32'")]
    assert 18 == sum(len(cohort.runs) for cohort in forecast.cohorts)
    with pytest.raises(DeviceError, match="without memorization: --only addition"):
        run_suite(suite, tmp_path / "out")
    sitting = run_suite(suite, tmp_path / "out", only=["addition"], seeds=1, jobs=1)
    assert sitting.trained == 6


# Killed at moments of the clock

WORLD = """
[recipes.grokking]
optimizer = "adamw"
learning_rate = 3e-3
steps = 500
evaluate_every = 100

[experiments.addition]
task = { name = "modular_addition", modulus = 31 }
architecture = "dense"
recipe = "grokking"
model_sizes = [16, 32, "2x16"]
data_sizes = [300, 600]
seeds = 2
"""


def left_behind(folder: Path) -> str:
    """What a killed suite has to go on from, in words."""
    count = {
        name: len(list((folder / name).glob(pattern)))
        for name, pattern in (("records", "*.nc"), ("checkpoints", "*.pt"))
    }
    return f"{count['records']} record files, {count['checkpoints']} checkpoints"


@pytest.mark.slow
def test_a_suite_killed_at_20_random_moments_ends_with_the_bits_of_one_never_killed(
    tmp_path: Path,
) -> None:
    """SIGKILL to the whole process group: the command and its two workers.

    A killed suite is gone on with, and killed again, until it comes to its end; then comes another.
    """
    path, random_moments, told = tmp_path / "world.toml", random.Random(0), []
    path.write_text(WORLD)

    def start(out: str) -> subprocess.Popen[bytes]:
        options = ["--out", tmp_path / out, "--jobs", "2", "--checkpoint-every", "0.2"]
        return subprocess.Popen(
            [sys.executable, "-m", "grokbench", "run", path, *options],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def seconds(out: str) -> float:
        begun = time.monotonic()
        assert 0 == start(out).wait()
        return time.monotonic() - begun

    everything, nothing = seconds("whole"), seconds("whole")
    whole, kills, chain = grokbench.open_results(tmp_path / "whole"), 0, 0
    while kills < 20:
        out = f"cut-{chain}"
        moment = nothing + random_moments.random() * (everything - nothing) / 2
        process = start(out)
        try:
            assert 0 == process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            told.append(f"{out} killed after {moment:.1f} s, with {left_behind(tmp_path / out)}")
        else:
            assert_same_data(whole, grokbench.open_results(tmp_path / out))
            chain += 1
    assert 0 == start(out).wait()
    assert_same_data(whole, grokbench.open_results(tmp_path / out))
    took = f"All takes {everything:.1f} s, of which starting {nothing:.1f} s."
    sys.stdout.write("\n".join([took, *told]))
    assert any("0 checkpoints" not in line for line in told)
