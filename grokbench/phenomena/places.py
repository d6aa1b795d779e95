"""Places: the model sizes at which a claim says that accuracy peaks, is lowest, and has recovered."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Self

import xarray as xr
from pydantic import BeforeValidator, Field, model_validator

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.labels import text_of


def _checked(size: Any) -> Any:
    whole = isinstance(size, int) and not isinstance(size, bool) and size > 0
    if whole or (isinstance(size, str) and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)?", size)):
        return size
    raise ValueError('a model size is a hidden size such as 24, or a label such as "2x128"')


Size = Annotated[int | str, BeforeValidator(_checked)]
Sizes = Annotated[tuple[Size, ...], Field(min_length=1)]


class Places(Options):
    """The model sizes of a dip's peak, bottom and recovery, fixed before any run.

    Each list has at least one size, and no size is named twice. Every size of the peak is smaller than every
    size of the bottom, and every size of the bottom smaller than every size of the recovery.
    """

    peak: Sizes
    bottom: Sizes
    recovery: Sizes

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Place → its sizes, in words."""
        places = {"peak": self.peak, "bottom": self.bottom, "recovery": self.recovery}
        return {place: tuple(text_of(size) for size in sizes) for place, sizes in places.items()}

    @property
    def sizes(self) -> tuple[str, ...]:
        """All sizes, in words."""
        return tuple(size for sizes in self.names.values() for size in sizes)

    @model_validator(mode="after")
    def _distinct_and_in_order(self) -> Self:
        names = self.sizes
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"size {', '.join(twice)} is named twice; each size belongs to one place"
            )
        # Sizes of several layers are ordered by their number of parameters, which only data know.
        if all(name.isdigit() for name in names):
            self._check_order({name: int(name) for name in names}, ValueError)
        return self

    def rows(self, dataset: xr.Dataset) -> dict[str, list[int]]:
        """Place → where its sizes are along `model_size`, which is sorted by parameters.

        Raises:
            NotEnoughDataError: a size is not in the data, or the places are not in the order of the sizes'
                parameters.
        """
        row = {
            text_of(label): at for at, label in enumerate(dataset["model_size"].to_numpy().tolist())
        }
        missing = [size for size in self.sizes if size not in row]
        if missing:
            raise NotEnoughDataError(
                f"`places` names model size {', '.join(missing)}, which is not among the sizes "
                f"of the data ({', '.join(row)}): train it, or name sizes of the grid"
            )
        self._check_order({name: row[name] for name in self.sizes}, NotEnoughDataError)
        return {place: [row[size] for size in sizes] for place, sizes in self.names.items()}

    def _check_order(self, order: dict[str, int], error: type[Exception]) -> None:
        for (place, smaller), (after, larger) in pairwise(self.names.items()):
            high, low = max(smaller, key=order.__getitem__), min(larger, key=order.__getitem__)
            if order[high] > order[low]:
                raise error(
                    f"size {high} of the {place} is not smaller than size {low} of the {after}; "
                    "write the sizes of the peak, then larger ones for the bottom, then still "
                    "larger ones for the recovery"
                )
