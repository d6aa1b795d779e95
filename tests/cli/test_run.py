from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import Result

import grokbench as package
from grokbench.plan import Cohort
from grokbench.record import Record

Grokbench = Callable[..., Result]


def test_run_trains_stores_and_judges(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("run", suite, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "Training 8 runs" in result.stdout
    assert "8/8 runs" in result.stdout
    tree = package.open_results("results/small")
    assert {"model_size": 2, "data_size": 2, "seed": 2} == {
        name: tree["addition"].sizes[name] for name in ("model_size", "data_size", "seed")
    }


def test_run_ends_with_the_verdict_table_and_where_the_results_are(
    grokbench: Grokbench, suite: Path
) -> None:
    lines = grokbench("run", suite, "--jobs", 1).stdout.rstrip().splitlines()
    row = next(line for line in lines if line.startswith("hardly_anything"))
    assert "reproduced" in row
    assert "≤\u00a01" in row
    assert lines[-1].startswith(f"Results: {Path('results/small')}.")


def test_the_same_command_again_does_nothing_and_says_so(grokbench: Grokbench, suite: Path) -> None:
    grokbench("run", suite, "--jobs", 1)
    result = grokbench("run", suite, "--jobs", 1)
    assert result.exit_code == 0
    assert "nothing to do" in result.stdout
    assert "Training" not in result.stdout
    assert "hardly_anything" in result.stdout


def test_asking_for_less_than_the_suite_says_what_is_left(
    grokbench: Grokbench, suite: Path
) -> None:
    result = grokbench("run", suite, "--jobs", 1, "--seeds", 1)
    assert result.exit_code == 0
    assert "Training 4 runs" in result.stdout
    assert result.stdout.endswith("The suite has 4 more runs.\n")
    assert "nothing to do" in grokbench("run", suite, "--jobs", 1, "--seeds", 1).stdout
    assert "4 runs already trained" in grokbench("run", suite, "--jobs", 1).stdout


def test_what_does_not_fit_the_budget_is_left_with_the_command_that_goes_on(
    grokbench: Grokbench, suite: Path
) -> None:
    result = grokbench("run", suite, "--jobs", 1, "--budget", "0.001")
    assert result.exit_code == 0
    command = f"grokbench run {suite} --jobs 1 --budget 0.001"
    assert result.stdout.endswith(f"Not trained yet: 8 runs. To continue:\n  {command}\n")


def test_shards_together_train_everything(grokbench: Grokbench, suite: Path) -> None:
    for shard in ("1/2", "2/2"):
        assert grokbench("run", suite, "--jobs", 1, "--shard", shard).exit_code == 0
    assert "nothing to do" in grokbench("run", suite, "--jobs", 1).stdout


def test_an_experiment_that_is_not_there_is_a_mistake(grokbench: Grokbench, suite: Path) -> None:
    result = grokbench("run", suite, "--only", "additoin")
    assert result.exit_code == 2
    assert "'addition'" in result.stderr
    assert not Path("results").exists()


def test_out_says_where_the_results_go(grokbench: Grokbench, suite: Path, tmp_path: Path) -> None:
    grokbench("run", suite, "--jobs", 1, "--out", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "small.nc").is_file()
    assert not Path("results").exists()


def test_ctrl_c_stores_what_is_finished_and_says_how_to_go_on(
    grokbench: Grokbench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grokbench.cli import progress

    class PressesCtrlC(progress.Lines):
        """Interrupts when the first cohort is stored, as a person might."""

        def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "Lines", PressesCtrlC)
    result = grokbench("run", suite, "--jobs", 1)
    monkeypatch.undo()
    monkeypatch.chdir(suite.parent)
    assert result.exit_code == 130
    assert f"To continue:\n  grokbench run {suite} --jobs 1" in result.stderr
    again = grokbench("run", suite, "--jobs", 1)
    assert again.exit_code == 0
    assert "4 runs already trained" in again.stdout


def test_to_be_terminated_is_to_be_interrupted(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a cluster's scheduler does, and `timeout`: through what the shell calls, in a process."""
    from grokbench.cli import main, progress

    class Terminated(progress.Lines):
        """Is sent the signal when the first cohort has begun."""

        def started(self, cohort: Cohort) -> None:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(progress, "Lines", Terminated)
    monkeypatch.setattr(sys, "argv", ["grokbench", "run", str(suite), "--jobs", "1"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert 130 == end.value.code
    told = capsys.readouterr()
    assert (
        f"Interrupted; every finished cohort is stored. To continue:\n  grokbench run {suite}"
        in (told.err)
    )
    assert "Results: " in told.out
    assert (suite.parent / "results" / "small" / "small.nc").is_file()


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_an_absent_device_is_a_mistake(
    grokbench: Grokbench, suite: Path, command: str, device: str
) -> None:
    result = grokbench(command, suite, "--device", device)
    assert result.exit_code == 2
    begun, error = result.stderr.split("\n", 1)
    assert f"Reading {suite} …" == begun
    assert error.startswith(f"Error: device '{device}' cannot be used: ")
    assert "Traceback" not in result.output
    assert not Path("results").exists()


def test_before_any_claim_was_run_there_is_no_table_of_verdicts(
    grokbench: Grokbench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grokbench.cli import progress

    class PressesCtrlCAtOnce(progress.Lines):
        """Interrupts before anything is trained."""

        def started(self, cohort: Cohort) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "Lines", PressesCtrlCAtOnce)
    result = grokbench("run", suite, "--jobs", 1)
    assert result.exit_code == 130
    assert "None of the claims can be judged: none has been run yet." in result.stdout
    assert "hardly_anything" not in result.stdout


@pytest.mark.parametrize("moved", [False, True])
def test_results_are_judged_again_with_the_plugins_beside_the_suite(
    grokbench: Grokbench, suite: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """From another folder; or in the suite's own, when the results are somewhere else now."""
    elsewhere = suite.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    grokbench("run", suite, "--jobs", 1)
    results = elsewhere / "results" / "small"
    if moved:
        results = results.rename(suite.parent / "kept")
        monkeypatch.chdir(suite.parent)
    result = grokbench("score", results)
    assert (0, f"Reading {results} …\n") == (result.exit_code, result.stderr)


BROKEN_TASK = '''
import grokbench
from grokbench.tasks.modular import ModularAddition


class Moody(ModularAddition):
    """Raises an error for one data size."""

    name = "moody"

    def examples(self, data_size, streams):
        if data_size == 15:
            raise ValueError("fifteen is [too many]")
        return super().examples(data_size, streams)


@grokbench.hookimpl
def register_tasks(register):
    register(Moody)
'''


def test_runs_that_raise_an_error_give_exit_code_4_and_stop_nobody(
    grokbench: Grokbench, suite: Path, tmp_path: Path
) -> None:
    moody = tmp_path / "moody.py"
    moody.write_text(BROKEN_TASK, encoding="utf-8")
    suite.write_text(suite.read_text(encoding="utf-8").replace("modular_addition", "moody"))
    result = grokbench("run", suite, "--jobs", 1, "--plugin", moody)
    assert result.exit_code == 4
    assert "runs failed (ValueError: fifteen is [too many] (moody.py, line " in result.stdout
    assert "4 runs failed" in result.stderr
    claims = json.loads((tmp_path / "results/small/verdicts.json").read_text())["claims"]
    assert claims[0]["outcome"] == "reproduced"


def test_runs_that_failed_are_not_called_done(
    grokbench: Grokbench, suite: Path, tmp_path: Path
) -> None:
    moody = tmp_path / "moody.py"
    moody.write_text(BROKEN_TASK, encoding="utf-8")
    suite.write_text(suite.read_text(encoding="utf-8").replace("modular_addition", "moody"))
    words = ["run", suite, "--jobs", 1, "--plugin", moody]
    grokbench(*words)
    again = grokbench(*words)
    assert again.exit_code == 4
    assert "already trained and stored, 4 of them failed." in again.stdout
    assert "nothing to do" not in again.stdout
    assert "To train these runs again, add --retry-failed." in again.stderr


def by_looks(suite: Path, **changes: str) -> Path:
    """The small suite with two looks, and with further changes of values."""
    text = suite.read_text().replace("seeds = 2\n", "", 1)
    for key, value in changes.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
        text = text.replace(old, f"{key} = {value}")
    suite.write_text("sequential = { looks = [2, 3], first_seed = 5 }\n" + text)
    return suite


def test_runs_that_no_claim_waits_for_are_not_called_trained(
    grokbench: Grokbench, suite: Path
) -> None:
    path = by_looks(suite)
    idle = path.read_text().split("[experiments.addition]")[1].split("[claims")[0]
    path.write_text(f"{path.read_text()}\n[experiments.idle]{idle}")
    assert "experiments.idle: no claim looks at this" in grokbench("validate", path).stderr
    assert "Training 8 runs" in grokbench("run", path, "--jobs", 1).stdout
    again = grokbench("run", path, "--jobs", 1, "--only", "idle").stdout
    assert "No claim waits for these runs; nothing to do." in again
    assert "no claim waits for these runs" in grokbench("plan", path, "--no-measure").stdout


def test_diverged_runs_are_not_called_runs_that_were_never_trained(
    grokbench: Grokbench, suite: Path
) -> None:
    path = by_looks(suite, optimizer='"sgd"\nlearning_rate = 1e38')
    result = grokbench("run", path, "--jobs", 1)
    assert "runs diverged" in result.stdout
    assert "None of the claims can be judged: none of their runs succeeded." in result.stdout
