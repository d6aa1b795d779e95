"""`run_suite` on a sequential suite: look by look, and whatever stops it, goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grokbench import session
from grokbench.errors import DeviceError
from grokbench.forecast import plan_suite
from grokbench.randomness import Streams
from grokbench.record import Status
from grokbench.session import Sitting, Watcher, run_suite
from grokbench.tasks import Examples, ModularAddition
from tests.killed_trainer import SEQUENTIAL
from tests.tiny_suites import Counter, assert_same_data


def sequential(folder: Path) -> Path:
    path = folder / "looks.toml"
    path.write_text(SEQUENTIAL)
    return path


def looks_of(sitting: Sitting) -> dict[str, list[tuple[int, str]]]:
    """For each claim, the number of seeds and the outcome of each look."""
    return {
        verdict.claim.name: [(look.seeds, look.outcome.value) for look in verdict.looks]
        for verdict in sitting.verdicts
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sitting:
    """The suite, trained to its end in this process."""
    folder = tmp_path_factory.mktemp("whole")
    return run_suite(sequential(folder), folder / "out", jobs=1)


def test_a_sequential_suite_trains_the_seeds_that_open_claims_need(
    whole: Sitting, tmp_path: Path
) -> None:
    sitting = whole
    assert {
        "decided_at_once": [(2, "reproduced")],
        "never_decided": [(2, "undecided"), (3, "undecided"), (5, "undecided")],
        "decided_late": [(2, "undecided"), (3, "reproduced")],
    } == looks_of(sitting)
    outcomes = [verdict.outcome.value for verdict in sitting.verdicts]
    assert ["reproduced", "too_close", "reproduced"] == outcomes
    trained = (sitting.tree["addition"]["status"] != int(Status.NOT_RUN)).sum("seed")
    assert [[5, 5], [3, 2]] == trained.to_numpy().tolist(), "[model size, data size]"
    assert (0, 0) == (sitting.remaining, sitting.unfinished)
    again = run_suite(sequential(tmp_path), sitting.folder, jobs=1)
    assert 0 == again.trained
    assert looks_of(sitting) == looks_of(again)


def test_a_sequential_suite_cut_by_shards_and_interruptions_has_the_same_looks(
    whole: Sitting, tmp_path: Path
) -> None:
    path = sequential(tmp_path)
    cut = run_suite(path, tmp_path / "cut", jobs=1, watcher=Counter(interrupt_after=1))
    assert cut.interrupted
    assert cut.remaining
    for i in (1, 2, 1, 2, 1, 2):
        cut = run_suite(path, tmp_path / "cut", jobs=1, shard=(i, 2))
    assert looks_of(whole) == looks_of(cut)
    assert_same_data(whole.tree, cut.tree)


def test_a_run_of_a_sequential_suite_that_failed_is_tried_again_when_asked(
    whole: Sitting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, examples = sequential(tmp_path), ModularAddition.examples

    def fragile(task: ModularAddition, data_size: int, streams: Streams) -> Examples:
        if streams.seed == 7:
            raise ValueError("it breaks")
        return examples(task, data_size, streams)

    with monkeypatch.context() as broken:
        broken.setattr(ModularAddition, "examples", fragile)
        first = run_suite(path, tmp_path / "out", jobs=1)
        assert 4 == first.failed
        assert 0 == run_suite(path, tmp_path / "out", jobs=1).trained
    planned = plan_suite(path, tmp_path / "out", jobs=1, retry_failed=True, measure=False)
    assert 4 == sum(len(cohort.runs) for cohort in planned.cohorts)
    again = run_suite(path, tmp_path / "out", jobs=1, retry_failed=True)
    assert (4, 0, 0) == (again.trained, again.failed, again.remaining)
    assert looks_of(whole) == looks_of(again)


def test_ctrl_c_between_two_looks_stores_the_verdicts_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def interrupted_at_the_second_call(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return assign(*arguments, **named)

    assign = session.assign
    monkeypatch.setattr(session, "assign", interrupted_at_the_second_call)
    sitting = run_suite(sequential(tmp_path), tmp_path / "out", jobs=1)
    assert (True, 0) == (sitting.interrupted, sitting.unfinished)
    assert sitting.remaining
    assert [[2], [2], [2]] == [[seeds for seeds, _ in one] for one in looks_of(sitting).values()]
    assert (tmp_path / "out" / "verdicts.json").exists()


def test_a_look_that_this_device_cannot_train_costs_no_earlier_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Hears(Watcher):
        def warned(self, warning: str) -> None:
            told.append(warning)

    def refuses_the_second_look(asked: Any) -> None:
        if len(asked.cohorts) != 4:
            raise DeviceError("no such precision")

    monkeypatch.setattr(session, "check_trainable", refuses_the_second_look)
    sitting = run_suite(sequential(tmp_path), tmp_path / "out", jobs=1, watcher=Hears())
    assert ["warning: the next look cannot be trained here: no such precision"] == told
    assert (False, 8) == (sitting.interrupted, sitting.trained)
    assert sitting.remaining
    assert (tmp_path / "out" / "verdicts.json").exists()


COUNTING = """
from pathlib import Path

from grokbench import hookimpl
from grokbench.tasks import ModularAddition

with (Path(__file__).parent / "executions").open("a") as file:
    file.write("executed\\n")


class Counted(ModularAddition):
    name = "counted"


@hookimpl
def register_tasks(register):
    register(Counted)
"""


def test_worker_processes_are_kept_from_look_to_look_and_execute_a_plugin_once(
    whole: Sitting, tmp_path: Path
) -> None:
    """This process checks the suite and judges the claims; two others train at all three looks."""
    (tmp_path / "counting.py").write_text(COUNTING)
    path = sequential(tmp_path)
    text = path.read_text().replace('"modular_addition"', '"counted"')
    path.write_text('plugins = ["counting.py"]\n' + text)
    sitting = run_suite(path, tmp_path / "out", jobs=2)
    assert looks_of(whole) == looks_of(sitting)
    assert 3 == len((tmp_path / "executions").read_text().splitlines())
