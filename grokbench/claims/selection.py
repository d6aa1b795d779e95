"""The part of the results that a claim looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, nearest
from grokbench.labels import text_of
from grokbench.record import Status
from grokbench.suite.model import Claim

if TYPE_CHECKING:
    from grokbench.claims.verdict import Verdict


def datasets_of(claim: Claim, tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Role → dataset, before the claim's selection; roles without results are left out."""
    return {
        role: tree[experiment].to_dataset()
        for role, experiment in claim.experiments.items()
        if experiment in tree.children
    }


def selected(claim: Claim, datasets: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The datasets with the claim's `where` applied; every dimension stays, even at length one.

    Raises:
        NotEnoughDataError: `where` names a dimension that no dataset has, or a value that one of
            the datasets with that dimension does not have.
    """
    for dimension in claim.where:
        if not any(dimension in dataset.dims for dataset in datasets.values()):
            known = sorted({str(name) for dataset in datasets.values() for name in dataset.dims})
            raise NotEnoughDataError(
                f"where.{dimension}: there is no such dimension; {nearest(dimension, known)}"
            )
    return {role: _select(dataset, claim.where) for role, dataset in datasets.items()}


def runs_selected(claim: Claim, datasets: Mapping[str, xr.Dataset]) -> list[xr.Dataset]:
    """The datasets with `where` applied along the axes of the grid only, so that no run is needed.

    A dataset has other dimensions, such as `part`, only when a run has ended.

    Raises:
        NotEnoughDataError: `where` names a value that one of the datasets does not have.
    """
    return [
        _select(
            dataset,
            {
                dimension: wanted
                for dimension, wanted in claim.where.items()
                if dimension in dataset["status"].dims
            },
        )
        for dataset in datasets.values()
    ]


def first_seeds(datasets: Mapping[str, xr.Dataset], seeds: Sequence[int]) -> dict[str, xr.Dataset]:
    """The datasets with the runs of some seeds only."""
    return {role: _with_seeds(dataset, seeds) for role, dataset in datasets.items()}


def _with_seeds(dataset: xr.Dataset, seeds: Sequence[int]) -> xr.Dataset:
    places = np.flatnonzero(np.isin(dataset["seed"].to_numpy(), list(seeds)))
    if places.size and places[-1] - places[0] + 1 == places.size:
        # Seeds side by side are a view; others are copied.
        return dataset.isel(seed=slice(int(places[0]), int(places[-1]) + 1))
    return dataset.isel(seed=places)


def statuses(dataset: xr.Dataset) -> Counter[Status]:
    """How many runs have each status."""
    return Counter(map(Status, dataset["status"].to_numpy().ravel().tolist()))


def missing_runs(claim: Claim, datasets: Mapping[str, xr.Dataset]) -> set[str] | None:
    """The ids of the runs that a claim looks at and that have not ended.

    None if there is no dataset for a role, or if the claim's `where` selects nothing.
    """
    if datasets.keys() != claim.experiments.keys():
        return None
    try:
        data = runs_selected(claim, datasets)
    except NotEnoughDataError:
        return None
    return {
        str(run)
        for dataset in data
        for run in dataset["run_id"].to_numpy()[dataset["status"].to_numpy() == Status.NOT_RUN]
    }


def seeds_trained(datasets: Iterable[xr.Dataset]) -> int:
    """How many different seeds have a trained run in any dataset; diverged runs count as trained."""
    found: set[Any] = set()
    for dataset in datasets:
        status = dataset.variables["status"]
        by_seed = np.moveaxis(status.to_numpy(), status.dims.index("seed"), 0)
        trained = np.isin(by_seed, [Status.DONE, Status.DIVERGED])
        of_seed = trained.reshape(len(by_seed), -1).any(axis=1)
        found.update(dataset.variables["seed"].to_numpy()[of_seed].tolist())
    return len(found)


def runs_behind(claims: Iterable[Claim], tree: xr.DataTree) -> dict[str, Status]:
    """Identity → status, of every run that at least one of the claims looks at."""
    found: dict[str, Status] = {}
    for claim in claims:
        try:
            found |= _runs(selected(claim, datasets_of(claim, tree)))
        except NotEnoughDataError:
            continue
    return found


def data_of(verdict: Verdict, tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The datasets that a verdict rests on or waits for: the claim's selection, its look's seeds.

    Raises:
        NotEnoughDataError: as `selected`.
    """
    datasets = datasets_of(verdict.claim, tree)
    if verdict.seeds is not None:
        datasets = first_seeds(datasets, verdict.seeds)
    return selected(verdict.claim, datasets)


def runs_of(verdicts: Iterable[Verdict], tree: xr.DataTree) -> dict[str, Status]:
    """Identity → status, of every run that a verdict rests on or waits for."""
    found: dict[str, Status] = {}
    for verdict in verdicts:
        try:
            found |= _runs(data_of(verdict, tree))
        except NotEnoughDataError:
            continue
    return found


def _runs(data: Mapping[str, xr.Dataset]) -> dict[str, Status]:
    found: dict[str, Status] = {}
    for dataset in data.values():
        identities = dataset["run_id"].to_numpy().ravel().tolist()
        became = map(Status, dataset["status"].to_numpy().ravel().tolist())
        found.update(zip(identities, became, strict=True))
    return found


def _select(dataset: xr.Dataset, where: Mapping[str, Any]) -> xr.Dataset:
    places: dict[str, list[int]] = {}
    for dimension, wanted in where.items():
        if dimension not in dataset.dims:
            continue
        labels = dataset[dimension].to_numpy().tolist()
        at = {text_of(label): index for index, label in enumerate(labels)}
        positions = set()
        for value in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
            if text_of(value) not in at:
                raise NotEnoughDataError(
                    f"where.{dimension}: there is no {value!r}; "
                    f"known: {', '.join(str(label) for label in labels)}"
                )
            positions.add(at[text_of(value)])
        # In the order of the grid, whatever the order in the suite.
        if len(positions) < len(labels):
            places[dimension] = sorted(positions)
    return dataset.isel(places) if places else dataset
