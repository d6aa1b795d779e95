"""Interrupted training ends with the same bits, or starts over; no checkpoint stops training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from grokbench.durable import digest
from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Run, Status
from grokbench.training import checkpoints, train
from grokbench.training.checkpoints import Checkpoints, Safekeeping
from grokbench.training.cohort import CohortTraining
from grokbench.training.loop import train_to_end
from tests.training.small_runs import ADDITION, MIXTURE, PLUGINS, TEACHER, curves, run

MOMENTUM = {"optimizer": Choice("sgd", {"momentum": 0.9}), "learning_rate": 1e-2}
NESTEROV = {"optimizer": Choice("sgd", {"momentum": 0.9, "nesterov": True}), "learning_rate": 1e-2}
DEEP = ModelSize(8, 2)

CASES: dict[str, tuple[Choice, str, ModelSize | int, dict[str, Any]]] = {
    "factored": (ADDITION, "dense", 8, {}),
    "factored with momentum": (MIXTURE, "split_ffn", 8, MOMENTUM),
    "prefix": (ADDITION, "dense", DEEP, {}),
    "prefix in bfloat16": (ADDITION, "dense", DEEP, {"precision": "bfloat16"}),
    "factored in batches": (ADDITION, "dense", 8, {"batch_size": 16}),
    "prefix in batches": (ADDITION, "dense", DEEP, {"batch_size": 16, "norm": "initial"}),
    "stacked in batches": (TEACHER, "perceptron", 8, {"batch_size": 16}),
    "one by one with dropout, in batches": (ADDITION, "dropping", 8, {"batch_size": 16}),
    "stacked": (TEACHER, "perceptron", 8, {"decay_on": "matrices"}),
    "stacked with momentum": (TEACHER, "perceptron", 8, NESTEROV),
    "one by one with dropout": (ADDITION, "dropping", 8, {}),
    "one by one with a counter": (ADDITION, "ticking", 8, {}),
    "one by one with batch norm": (TEACHER, "normalizing", 8, MOMENTUM),
}
"""Each steps 40 times and evaluates after 0, 1, 2, 4, 8, 10, 20, 30 and 40 steps. Epochs of batches
have four steps in one run and three in the other, so that stops come in the middle of one."""

PROGRAMS = {
    "factored": "FactoredTransformer",
    "prefix": "PrefixTransformer",
    "stacked": "StackedModules",
    "one": "SingleModules",
}


@pytest.fixture(autouse=True)
def looks_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LOOK_SECONDS", 0.0)


def counting(
    stacks: list[int], step: Callable[[CohortTraining], None]
) -> Callable[[CohortTraining], None]:
    """The same step, which also notes how many runs the stack has."""

    def noted(training: CohortTraining) -> None:
        stacks.append(len(training.parameters))
        step(training)

    return noted


class Stop:
    """Says stop at the n-th question."""

    def __init__(self, at: int | None) -> None:
        self.at, self.asked = at, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked == self.at


@dataclass(frozen=True, eq=False)
class Sitting:
    """How far one sitting came, and the steps that it evaluated."""

    training: CohortTraining
    safekeeping: Safekeeping
    ended: bool
    evaluated: list[int]


def sit(
    runs: Sequence[Run],
    kept: Checkpoints | None,
    stop: int | None = None,
    plugins: Plugins = PLUGINS,
) -> Sitting:
    """Train `runs` from their checkpoint, for `stop` more steps."""
    evaluated: list[int] = []
    safekeeping = Safekeeping("cohort", kept, Stop(stop))
    training = safekeeping.begin(runs, partial(CohortTraining, runs, plugins, torch.device("cpu")))
    ended = train_to_end(training, lambda step, accuracy: evaluated.append(step), safekeeping)
    return Sitting(training, safekeeping, ended, evaluated)


def runs_of(case: str) -> list[Run]:
    task, architecture, size, recipe = CASES[case]
    return [run(task, architecture, size, data, seed=data, **recipe) for data in (50, 33)]


@cache
def never_stopped(case: str) -> Sitting:
    return sit(runs_of(case), None)


def assert_same_end(expected: Sitting, found: Sitting) -> None:
    assert expected.ended
    assert found.ended
    assert torch.equal(expected.training.parameters, found.training.parameters)
    for name, value in expected.training.optimizer.state().items():
        assert torch.equal(value, found.training.optimizer.state()[name])
    one, other = (sitting.training.meter for sitting in (expected, found))
    assert one.steps == other.steps
    for evaluation, again in zip(one.evaluations.all(), other.evaluations.all(), strict=True):
        assert torch.equal(evaluation, again)


@pytest.mark.parametrize("case", CASES)
def test_the_cases_go_through_the_programs_that_they_name(case: str) -> None:
    program = never_stopped(case).training.program
    assert PROGRAMS[case.split(maxsplit=1)[0]] == type(program).__name__


STOPS = ((1,), (7,), (10,), (39,), (40,), (5, 1, 13), (10, 10, 10), (1,) * 5)
FEW_STOPS = ((10,), (5, 1, 13))


@pytest.mark.parametrize(
    ("case", "stops"),
    [("factored", stops) for stops in STOPS]
    + [(case, stops) for case in CASES for stops in FEW_STOPS if case != "factored"],
)
def test_what_is_stopped_and_goes_on_ends_with_the_bits_of_one_never_stopped(
    case: str, stops: tuple[int, ...], tmp_path: Path
) -> None:
    kept, runs = Checkpoints(tmp_path / "kept", every=0), runs_of(case)
    taken = 0
    for stop in stops:
        cut = sit(runs, kept, stop)
        taken += stop
        assert (False, taken) == (cut.ended, cut.training.taken)
    whole, rest = never_stopped(case), sit(runs, kept)
    assert [step for step in whole.evaluated if step >= taken] == rest.evaluated
    assert_same_end(whole, rest)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_runs_that_diverged_leave_and_the_others_go_on_to_the_same_bits(
    tmp_path: Path, optimizer: str
) -> None:
    rates = (1e30, 1e-2, 1e29, 2e-2)
    runs = [run(optimizer=Choice(optimizer), learning_rate=rate, seed=1) for rate in rates]
    whole = train(runs, PLUGINS)
    assert 2 * [Status.DIVERGED, Status.DONE] == [record.status for record in whole]
    # Killed after they left: everything is there again but what was kept.
    kept = Checkpoints(tmp_path / "killed", every=0)
    train(runs, PLUGINS, safekeeping=Safekeeping("cohort", kept, Stop(25)))
    again = train(runs, PLUGINS, safekeeping=Safekeeping("cohort", kept))
    assert curves(whole) == curves(again)
    # Stopped after they left: their records are there, and the others are asked for alone.
    kept = Checkpoints(tmp_path / "stopped")
    left = train(runs, PLUGINS, safekeeping=Safekeeping("cohort", kept, Stop(25)))
    assert [Status.DIVERGED] * 2 == [record.status for record in left]
    rest = train(runs[1::2], PLUGINS, safekeeping=Safekeeping("cohort", kept))
    assert curves(whole[::2] + whole[1::2]) == curves(left + rest)


def test_a_stack_that_most_runs_left_computes_for_the_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stacks: list[int] = []
    monkeypatch.setattr(CohortTraining, "step", counting(stacks, CohortTraining.step))
    runs = [run(optimizer=Choice("sgd"), learning_rate=r, seed=1) for r in (1e30, 1e-2, 1e29)]
    train(runs, PLUGINS)
    assert 3 == stacks[0]
    assert 1 == stacks[-1]
    assert 40 == len(stacks)


def test_the_newest_alone_is_kept(tmp_path: Path) -> None:
    sit(runs_of("factored"), Checkpoints(tmp_path, every=0), stop=13)
    [path] = tmp_path.iterdir()
    assert ".pt" == path.suffix
    assert 13 == torch.load(path, weights_only=True)["taken"]


def test_nothing_is_written_as_long_as_nothing_is_due(tmp_path: Path) -> None:
    assert sit(runs_of("factored"), Checkpoints(tmp_path / "kept", every=1e9)).ended
    assert not (tmp_path / "kept").exists()


def test_what_is_forgotten_is_gone_and_other_cohorts_are_left_alone(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "kept")
    for cohort in ("ab", "abc"):
        for name in "12":
            kept.keep(cohort, {"runs": name}, {"taken": 1})
    kept.forget("ab")
    assert ["abc-1", "abc-2"] == sorted(path.name[:5] for path in kept.folder.iterdir())
    kept.tidy()
    assert kept.folder.exists()
    kept.forget("abc")
    kept.forget("abc")
    kept.tidy()
    assert not kept.folder.exists()
    kept.tidy()


def test_nothing_is_left_of_what_is_cleared(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "kept")
    kept.keep("gone", {"runs": "1"}, {"taken": 1})
    (kept.folder / ".killed.tmp").write_bytes(b"half")
    for _ in range(2):
        kept.clear()
        assert [] == list(tmp_path.iterdir())


# A checkpoint of something else


@pytest.fixture
def cut(tmp_path: Path) -> Sitting:
    """A sitting that kept a checkpoint after 13 steps."""
    return sit(runs_of("factored"), Checkpoints(tmp_path / "kept"), stop=13)


def assert_starts_over(kept: Checkpoints | None) -> None:
    again = sit(runs_of("factored"), kept)
    assert 0 == again.evaluated[0]
    assert_same_end(never_stopped("factored"), again)


@pytest.mark.parametrize("name", ["runs", "program", "compiled", "device", "torch", "grokbench"])
def test_another_identity_starts_over(cut: Sitting, name: str) -> None:
    kept, identity = cut.safekeeping.checkpoints, cut.safekeeping.identity
    assert kept is not None
    kept.forget("cohort")
    kept.keep("cohort", {**identity, name: "other"}, cut.training.state())
    assert_starts_over(kept)


def test_the_same_identity_goes_on(cut: Sitting) -> None:
    kept, identity = cut.safekeeping.checkpoints, cut.safekeeping.identity
    assert kept is not None
    kept.forget("cohort")
    kept.keep("cohort", dict(identity), cut.training.state())
    assert [20, 30, 40] == sit(runs_of("factored"), kept).evaluated


def test_other_runs_of_the_cohort_start_over_and_spoil_nothing(cut: Sitting) -> None:
    kept, runs = cut.safekeeping.checkpoints, runs_of("factored")
    alone = sit(runs[:1], kept, stop=21)
    assert 0 == alone.evaluated[0]
    rest = sit(runs, kept)
    assert 20 == rest.evaluated[0]
    assert_same_end(never_stopped("factored"), rest)
    assert 30 == sit(runs[:1], kept).evaluated[0]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def write_with_its_digest(path: Path, content: bytes) -> None:
    path.unlink()
    stem = path.stem.rsplit("-", 1)[0]
    path.with_name(f"{stem}-{digest(content)[:16]}.pt").write_bytes(content)


def write_what_torch_cannot_read(path: Path) -> None:
    write_with_its_digest(path, b"no checkpoint")


def keep_something_else(path: Path, value: object) -> None:
    torch.save(value, path)
    write_with_its_digest(path, path.read_bytes())


def leave_out(name: str, path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state[name]
    keep_something_else(path, state)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "damaged": flip_a_bit,
    "truncated": truncate,
    "empty": empty,
    "a folder": put_a_folder_there,
    "not torch's": write_what_torch_cannot_read,
    "a list": lambda path: keep_something_else(path, [1, 2]),
    "without identity": partial(leave_out, "identity"),
    "without steps": partial(leave_out, "taken"),
    "without parameters": partial(leave_out, "parameters"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_cannot_be_used_counts_as_none(cut: Sitting, damage: str) -> None:
    kept = cut.safekeeping.checkpoints
    assert kept is not None
    [path] = kept.folder.iterdir()
    DAMAGE[damage](path)
    assert_starts_over(kept)


# A folder that cannot be written


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writing past the limit fails in the middle of a file, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_no_training_and_the_former_checkpoint_serves(
    cut: Sitting, tmp_path: Path
) -> None:
    former, copied = tmp_path / "kept", tmp_path / "copy"
    shutil.copytree(former, copied)
    with no_file_above(1000):
        rest = sit(runs_of("factored"), Checkpoints(former, every=0))
    assert_same_end(never_stopped("factored"), rest)
    assert [path.name for path in copied.iterdir()] == [path.name for path in former.iterdir()]
    assert [20, 30, 40] == sit(runs_of("factored"), Checkpoints(former)).evaluated


@pytest.mark.parametrize("place", ["kept", "kept/below"])
def test_a_file_in_place_of_the_folder_stops_no_training(tmp_path: Path, place: str) -> None:
    (tmp_path / "kept").write_text("mine")
    kept = Checkpoints(tmp_path / place, every=0)
    assert_starts_over(kept)
    kept.forget("cohort")
    assert "mine" == (tmp_path / "kept").read_text()


# Optimizers

OPTIMIZER = '''
import grokbench
import torch


class Drifting(grokbench.Optimizer):
    """Descends along a running mean of the gradients."""

    name = "drifting"

    def start(self, parameters):
        self.mean = torch.zeros_like(parameters){start}

    def step(self, parameters, gradients, learning_rate, weight_decay, count):
        {step}
        parameters.sub_(self.mean * learning_rate)


@grokbench.hookimpl
def register_optimizers(register):
    register(Drifting)
'''
DRIFTING = Choice("drifting")
LERP = "self.mean.lerp_(gradients, 0.1)"


def optimizer(path: Path, start: str = "", step: str = LERP) -> Plugins:
    path.write_text(OPTIMIZER.format(start=start, step=step))
    return Plugins.load([path])


OTHERS = {
    "another shape": ("[0]", "self.mean.lerp_(gradients.mean(0), 0.1)"),
    "one column": ("[:, :1]", "self.mean.lerp_(gradients[:, :1], 0.1)"),
    "one tensor more": ("; self.steps = torch.zeros(())", f"self.steps += 1; {LERP}"),
    "one number more": ("; self.share = 0.1", "self.mean.lerp_(gradients, self.share)"),
    "another precision": (".double()", "self.mean.lerp_(gradients.double(), 0.1)"),
}


@pytest.mark.parametrize("change", OTHERS)
@pytest.mark.parametrize("backwards", [False, True])
def test_an_optimizer_whose_state_is_another_now_starts_over(
    tmp_path: Path, change: str, backwards: bool
) -> None:
    runs = [run(optimizer=DRIFTING, data_size=data) for data in (50, 33)]
    old, new = optimizer(tmp_path / "old.py"), optimizer(tmp_path / "new.py", *OTHERS[change])
    if backwards:
        old, new = new, old
    kept = Checkpoints(tmp_path / "kept")
    sit(runs, kept, stop=13, plugins=old)
    again = sit(runs, kept, plugins=new)
    assert 0 == again.evaluated[0]
    assert torch.equal(sit(runs, None, plugins=new).training.parameters, again.training.parameters)


COUNTING = ("; self.steps = 0", f"self.steps += 1; self.mean *= self.steps % 3; {LERP}")


def test_numbers_that_an_optimizer_remembers_are_kept(tmp_path: Path) -> None:
    plugins, runs = optimizer(tmp_path / "counting.py", *COUNTING), [run(optimizer=DRIFTING)]
    kept = Checkpoints(tmp_path / "kept")
    sit(runs, kept, stop=14, plugins=plugins)
    rest = sit(runs, kept, plugins=plugins)
    assert [20, 30, 40] == rest.evaluated
    assert torch.equal(
        sit(runs, None, plugins=plugins).training.parameters, rest.training.parameters
    )


@pytest.mark.parametrize("odd", ["iter([])", "lambda: 0"])
def test_an_optimizer_whose_state_cannot_be_kept_starts_over(tmp_path: Path, odd: str) -> None:
    """The first state cannot be read again; the second cannot be written."""
    plugins = optimizer(tmp_path / "odd.py", f"; self.odd = {odd}")
    kept, runs = Checkpoints(tmp_path / "kept", every=0), [run(optimizer=DRIFTING)]
    assert [] == train(runs, plugins, safekeeping=Safekeeping("cohort", kept, Stop(13)))
    [record] = train(runs, plugins, safekeeping=Safekeeping("cohort", kept))
    assert Status.DONE is record.status
    assert curves(train(runs, plugins)) == curves([record])
