"""Checkpoints: the state of a cohort in training, so that an interruption costs little work.

A checkpoint is a file `<cohort>-<runs>-<digest>.pt`: the cohort's id, a digest of the ids of the
runs in it, and a digest of the file's bytes. The file is removed once the cohort's records are
stored.

A checkpoint is used for the same runs and program, on the same type of device, with the same
versions of grokbench and torch. Training then ends with the same bits as without the interruption.
Any other checkpoint is left alone, and the cohort starts from the beginning.

An empty file `<cohort>.lost` says that the cohort was lost: its worker process died, for example.
"""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import grokbench
from grokbench.durable import digest, remove_abandoned, write_durably
from grokbench.record import Run
from grokbench.training.cohort import CohortTraining, State
from grokbench.training.compiling import COMPILING_SECONDS

CHECKPOINT_SECONDS = 30.0
"""How long a cohort trains before its first checkpoint, and between two checkpoints."""

LOOK_SECONDS = 0.02
"""How often the training loop asks whether it should stop."""


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints, which is made when the first checkpoint is kept.

    Attributes:
        every: seconds between two checkpoints of a cohort.
    """

    folder: Path
    every: float = CHECKPOINT_SECONDS

    def load(self, cohort: str, identity: dict[str, Any]) -> State | None:
        """The latest state that was kept with this identity; None when there is none."""
        found = [state for state in self._states(cohort) if state.pop("identity", None) == identity]
        return max(found, key=lambda state: int(state["taken"]), default=None)

    def keep(self, cohort: str, identity: dict[str, Any], state: State) -> None:
        """Keep a state, and remove the former checkpoints of the same runs.

        Raises:
            ResultsError: the file could not be written; the former checkpoints are still there.
        """
        remove_abandoned(self.folder)
        content = io.BytesIO()
        torch.save({"identity": identity, **state}, content)
        former = set(self._files(f"{cohort}-{identity['runs']}"))
        kept = write_durably(
            self.folder,
            write=lambda path: path.write_bytes(content.getbuffer()),
            name=lambda _: f"{cohort}-{identity['runs']}-{digest(content.getbuffer())[:16]}.pt",
        )
        for path in former - {kept}:
            path.unlink(missing_ok=True)

    def mark_lost(self, cohort: str) -> None:
        """Remember that a cohort was lost; its checkpoints stay."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{cohort}.lost").touch()

    def was_lost(self, cohort: str) -> bool:
        """Whether the cohort was lost, in this call or a former one, and has not been stored since."""
        return (self.folder / f"{cohort}.lost").exists()

    def forget(self, cohort: str) -> None:
        """Remove the checkpoints of a cohort whose records are stored."""
        with suppress(OSError):
            for path in (*self._files(cohort), self.folder / f"{cohort}.lost"):
                path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove the folder if it is empty. Call only when no other process may be starting."""
        with suppress(OSError):
            self.folder.rmdir()

    def clear(self) -> None:
        """Remove everything: checkpoints of former cohorts, and files of killed processes."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self, prefix: str) -> Iterator[Path]:
        return self.folder.glob(f"{prefix}-*.pt")

    def _states(self, cohort: str) -> Iterator[State]:
        for path in self._files(cohort):
            with suppress(Exception):  # a checkpoint that cannot be read is no checkpoint
                content = path.read_bytes()
                if digest(content)[:16] == path.stem.rsplit("-", 1)[1]:
                    yield torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


class Safekeeping:
    """Keeps checkpoints of one cohort while it trains, and tells the loop when to stop.

    Args:
        cohort: the name under which checkpoints are kept.
        checkpoints: where they are kept; None to keep nothing.
        should_stop: says whether the loop should stop now; asked every LOOK_SECONDS.
        deadline: the moment of `time.monotonic` at which `should_stop` will say so.
    """

    def __init__(
        self,
        cohort: str = "",
        checkpoints: Checkpoints | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        deadline: float = math.inf,
    ) -> None:
        self.cohort, self.checkpoints, self.should_stop = cohort, checkpoints, should_stop
        self.deadline = deadline
        self.identity: dict[str, Any] = {}
        self.kept = self.looked = time.monotonic()

    def begin(
        self, runs: Sequence[Run], make: Callable[[], CohortTraining], former: State | None = None
    ) -> CohortTraining | None:
        """The training of `runs` in the state of their latest checkpoint.

        Args:
            make: makes the training in its initial state.
            former: the state to start from where there is no checkpoint.

        Returns:
            None where the program is to be compiled and there is no time left for that.
        """
        training = make()
        if training.pays_to_compile:
            if self.should_stop() or time.monotonic() + COMPILING_SECONDS > self.deadline:
                return None
            training.compile()
        self.kept = time.monotonic()
        if former is not None:
            training.restore(former)
        if self.checkpoints is None:
            return training
        self.identity = {
            "runs": digest("".join(run.id for run in runs).encode())[:16],
            "program": type(training.program).__name__,
            "compiled": training.program.compiled,
            "device": training.device.type,
            # A plain string: `torch.load` with `weights_only` refuses the class TorchVersion.
            "torch": str(torch.__version__),
            "grokbench": grokbench.__version__,
        }
        try:
            state = self.checkpoints.load(self.cohort, self.identity)
            if state is not None:
                training.restore(state)
        except Exception:  # noqa: BLE001 (the state of a plugin may have another shape now)
            # A half restored state is of no use: begin again without the checkpoint.
            training = make()
            if self.identity["compiled"]:
                training.compile()
            if former is not None:
                training.restore(former)
        return training

    def stops(self, training: CohortTraining) -> bool:
        """Whether to stop. Keeps a checkpoint before that, and whenever one is due."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return False
        self.looked = now
        stop = self.should_stop()
        if self.checkpoints and (stop or now - self.kept >= self.checkpoints.every):
            # Training goes on when the disk is full or a plugin's state cannot be pickled.
            with suppress(Exception):
                self.checkpoints.keep(self.cohort, self.identity, training.state())
            self.kept = time.monotonic()
        return stop
