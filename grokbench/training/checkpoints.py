"""Checkpoints: where a cohort stands while it trains, so that a cut costs at most a minute.

A checkpoint is a file `<cohort>-<runs>-<digest>.pt`: the runs that it is of, by a digest of their
names, and the digest of its bytes. It is removed once the cohort's records are stored. It serves the same runs, on the same kind of
device, with the same versions of grokbench and torch, and gives the same bits as if nothing had
happened; any other is left alone, and the cohort starts over.
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
"""How long a cohort trains before it is kept, and from then on between two checkpoints."""

LOOK_SECONDS = 0.02
"""How often a loop looks whether it should stop."""


@dataclass(frozen=True)
class Checkpoints:
    """A folder of them; nothing is made on disk before the first is kept."""

    folder: Path
    every: float = CHECKPOINT_SECONDS

    def load(self, cohort: str, identity: dict[str, Any]) -> State | None:
        """The state that was kept last by the cohort's same runs; None when there is none."""
        found = [state for state in self._states(cohort) if state.pop("identity", None) == identity]
        return max(found, key=lambda state: int(state["taken"]), default=None)

    def keep(self, cohort: str, identity: dict[str, Any], state: State) -> None:
        """Replace what the same runs kept before.

        Raises:
            ResultsError: it could not be written; what was kept before is as it was.
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

    def forget(self, cohort: str) -> None:
        """Remove what the cohort kept; its records are stored."""
        with suppress(OSError):
            for path in self._files(cohort):
                path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove the folder if nothing is kept in it; when nobody trains, who might just begin to."""
        with suppress(OSError):
            self.folder.rmdir()

    def clear(self) -> None:
        """Remove all: what cohorts kept that are no more, and what killed writers left behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self, prefix: str) -> Iterator[Path]:
        return self.folder.glob(f"{prefix}-*.pt")

    def _states(self, cohort: str) -> Iterator[State]:
        for path in self._files(cohort):
            with suppress(Exception):  # a checkpoint that cannot be read counts as none
                content = path.read_bytes()
                if digest(content)[:16] == path.stem.rsplit("-", 1)[1]:
                    yield torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


class Safekeeping:
    """Keeps what a loop has done, and tells it when to stop.

    Args:
        cohort: the name under which checkpoints are kept.
        checkpoints: where; None to keep nothing.
        told: whether the loop should stop now; asked every LOOK_SECONDS.
        deadline: the moment of `time.monotonic` at which it will.
    """

    def __init__(
        self,
        cohort: str = "",
        checkpoints: Checkpoints | None = None,
        told: Callable[[], bool] = lambda: False,
        deadline: float = math.inf,
    ) -> None:
        self.cohort, self.checkpoints, self.told = cohort, checkpoints, told
        self.deadline = deadline
        self.identity: dict[str, Any] = {}
        self.kept = self.looked = time.monotonic()

    def begin(
        self, runs: Sequence[Run], make: Callable[[], CohortTraining], former: State | None = None
    ) -> CohortTraining | None:
        """The descent of `runs` that `make` gives, put where it was when it was kept last.

        Where nothing was kept, it is put where `former` says. None where it is to be compiled, and
        there is no time left for that.
        """
        descent = make()
        if descent.pays_to_compile:
            if self.told() or time.monotonic() + COMPILING_SECONDS > self.deadline:
                return None
            descent.compile()
        self.kept = time.monotonic()
        if former is not None:
            descent.restore(former)
        if self.checkpoints is None:
            return descent
        self.identity = {
            "runs": digest("".join(run.id for run in runs).encode())[:16],
            "program": type(descent.program).__name__,
            "compiled": descent.program.compiled,
            "device": descent.device.type,
            "torch": str(torch.__version__),  # of a class of its own, which `load` would refuse
            "grokbench": grokbench.__version__,
        }
        try:
            state = self.checkpoints.load(self.cohort, self.identity)
            if state is not None:
                descent.restore(state)
        except Exception:  # noqa: BLE001 (what a plugin keeps may have changed its shape)
            descent = make()
            if self.identity["compiled"]:
                descent.compile()
            if former is not None:
                descent.restore(former)
        return descent

    def stops(self, descent: CohortTraining) -> bool:
        """Whether to stop; keeps the state before that, and whenever it is time to."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return False
        self.looked = now
        stop = self.told()
        if self.checkpoints and (stop or now - self.kept >= self.checkpoints.every):
            # Neither a full disk stops training, nor a plugin's state that cannot be pickled.
            with suppress(Exception):
                self.checkpoints.keep(self.cohort, self.identity, descent.state())
            self.kept = time.monotonic()
        return stop
