"""Detectors that break their contract, each in one way, and what the kit says of each."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from grokbench import Detector, Drawing, Finding, NotEnoughDataError
from grokbench.testing import CheckOutcome, checks_for
from grokbench.testing.conformance.detectors import NULL_WORLDS, largest_count
from grokbench.testing.conformance.worlds import dipping, grokking
from grokbench.testing.simulator import Story, dataset
from tests.testing.faults import faults, notes

SLOW = "is_deaf_to_noise"


class Slope(Detector):
    """How final accuracy rises with the logarithm of size, and nothing is wrong with it."""

    name = "slope"

    def find(self, data):
        found = self.slopes(data["experiment"])
        if len(found) < 2:
            raise NotEnoughDataError("a slope needs two sizes, and two seeds to tell its spread")
        mean, error = found.mean(), found.std(ddof=1) / math.sqrt(len(found))
        half = float(stats.t.ppf((1 + self.confidence) / 2, len(found) - 1)) * error
        return Finding(
            float(mean), float(mean - half), float(mean + half), "accuracy a doubling", len(found),
            "a line through final accuracies", {"slopes": [float(one) for one in np.sort(found)]},
        )  # fmt: skip

    def final(self, data):
        return data["validation_accuracy"].where(data["status"] == 1).isel(step=-1)

    def slopes(self, data):
        data = data.sortby("parameters")
        final = self.final(data)
        over = [name for name in final.dims if name not in ("seed", "model_size")]
        final = final.mean(over).transpose("seed", "model_size").to_numpy()
        size = np.log2(data["parameters"].to_numpy().clip(1))
        found = []
        for row in final:
            known = ~np.isnan(row)
            if len(set(size[known])) > 1:
                found.append(np.polyfit(size[known], row[known], 1)[0])
        return np.array(found)


class Ordered(Slope):
    """Trusts the order of the file."""

    def slopes(self, data):
        final = self.final(data).mean(["data_size"])
        return (final.isel(model_size=-1) - final.isel(model_size=0)).dropna("seed").to_numpy()


class Hopeful(Slope):
    """Measures the steepest pair of sizes on the seeds that chose it."""

    def slopes(self, data):
        final = self.final(data.sortby("parameters")).mean("data_size")
        curve = final.mean("seed").to_numpy()
        if np.isnan(curve).all() or len(curve) < 2:
            return np.array([])
        low, high = int(np.nanargmin(curve)), int(np.nanargmax(curve))
        rise = final.isel(model_size=high) - final.isel(model_size=low)
        return rise.dropna("seed").to_numpy()


class Filling(Slope):
    """Reads runs that are not there as zero."""

    def final(self, data):
        return data["validation_accuracy"].isel(step=-1).fillna(0)


class Crashing(Slope):
    """Divides by the number of runs that were not done."""

    def slopes(self, data):
        if int((data["status"] != 1).sum()):
            raise ZeroDivisionError("a hole")
        return super().slopes(data)


class Mutating(Slope):
    """Fills the holes of the dataset itself, and marks where it has been."""

    def slopes(self, data):
        found = super().slopes(data)
        data["validation_accuracy"][...] = 0.5
        return found


class Labelling(Slope):
    """Adds a variable to the dataset."""

    def slopes(self, data):
        data["seen"] = data["status"] == 1
        return super().slopes(data)


class UpsideDown(Slope):
    """Low for high."""

    def find(self, data):
        fair = super().find(data)
        return replace(fair, low=fair.high, high=fair.low)


class Certain(Slope):
    """An interval of 95 %, whatever confidence is asked for."""

    def find(self, data):
        return Slope.find(Slope(), data)


class Shy(Slope):
    """Less room for more confidence."""

    def find(self, data):
        return Slope.find(Slope().at(1 - self.confidence), data)


class Sticky(Slope):
    """at() changes the detector itself."""

    def at(self, confidence):
        self.confidence = confidence
        return self


class Unspoken(Slope):
    """Details that are numpy's."""

    def find(self, data):
        return replace(super().find(data), details={"slopes": np.zeros(3)})


class Keyed(Slope):
    """Details with numbers for keys."""

    def find(self, data):
        return replace(super().find(data), details={1: 2.0})


class Resampling(Slope):
    """Bootstraps with the global generator."""

    def slopes(self, data):
        found = super().slopes(data)
        return np.random.choice(found, 20) if len(found) else found  # noqa: NPY002


class Reseeding(Slope):
    """Seeds Python's generator for everybody."""

    def slopes(self, data):
        random.seed(0)
        return super().slopes(data)


class Silent(Slope):
    """Errors of numpy that nobody hears again."""

    def slopes(self, data):
        np.seterr(all="ignore")
        return super().slopes(data)


class Empty(Slope):
    """NaN where there is nothing."""

    def find(self, data):
        found = self.slopes(data["experiment"])
        mean = float(found.mean()) if len(found) else math.nan
        return Finding(mean, mean, mean, "accuracy a doubling", 1, "a line")


class Boasting(Slope):
    """Counts every cell as a seed."""

    def find(self, data):
        cells = data["experiment"]["status"].size
        return replace(super().find(data), seeds=cells)


class Nothing(Slope):
    """Effects that are NaN."""

    def find(self, data):
        return replace(super().find(data), effect=math.nan)


class Bare(Slope):
    """A number instead of a finding."""

    def find(self, data):
        return super().find(data).effect


class Wordless(Slope):
    """No evidence."""

    def find(self, data):
        return replace(super().find(data), evidence="")


class Mute(Slope):
    """Too little, and not a word why."""

    def find(self, data):
        try:
            return super().find(data)
        except NotEnoughDataError:
            raise NotEnoughDataError from None


class Demanding(Slope):
    """Never enough."""

    def find(self, data):
        raise NotEnoughDataError("a hundred seeds are needed")


class Rolling(Slope):
    """One role for a name, so that there are ten."""

    roles = "experiment"


class Surprised(Slope):
    """Knows no sizes of several layers."""

    def slopes(self, data):
        sizes = np.log2([float(label) for label in data["model_size"].to_numpy()])
        return super().slopes(data) + 0 * sizes[0]


class Warner(Slope):
    """Warns with True."""

    def warning(self, lengths):
        return lengths["experiment"]["seed"] < 5


class Drawn(Slope):
    """A figure of matplotlib's, without the words beside it."""

    def figure(self, data, finding):
        return Figure()


class Unlabelled(Slope):
    """A figure without words for readers who do not see it."""

    def figure(self, data, finding):
        return Drawing(Figure(), "Slopes", "A line through final accuracies.", "")


class Unrendered(Slope):
    """A figure with text that no renderer understands."""

    def figure(self, data, finding):
        figure = Figure()
        figure.text(0, 0, r"$\frac{1}$")
        return Drawing(figure, "Slopes", "A line.", "A line rises.")


class Expectant(Slope):
    """A figure that needs a finding where there may be none."""

    def figure(self, data, finding):
        return Drawing(Figure(), "Slopes", f"{finding.effect:.2f} a doubling.", "A line rises.")


class Annotating(Slope):
    """A right figure, and one where there is nothing to draw."""

    def figure(self, data, finding):
        if finding is None:
            raise NotEnoughDataError("there is no line to draw")
        figure = Figure()
        figure.subplots().plot([0, 1], [0, finding.effect])
        return Drawing(figure, "Slopes", "A line.", "A line rises.")


FAULTS = [
    (Ordered, "order_changes_nothing", "stand in another order"),
    (Hopeful, SLOW, "choose on some seeds and measure on others"),
    (Filling, "bears_missing_cells", "where that seed is there and was not run"),
    (Filling, "says_when_there_is_too_little", "where no run is done it finds 0"),
    (Crashing, "bears_missing_cells", "10% of the runs are NOT_RUN it raises ZeroDivisionError"),
    (Mutating, "changes_nothing_else", "changes validation_accuracy of the dataset"),
    (Labelling, "changes_nothing_else", "changes seen of the dataset"),
    (UpsideDown, "interval_holds_the_effect", "which end is which"),
    (Boasting, "counts_its_seeds", "rests on 105 seeds, and there are 5"),
    (Certain, "interval_widens_with_confidence", "at a confidence of 0.8 and of 0.999"),
    (Shy, "interval_widens_with_confidence", "a higher confidence needs a wider interval"),
    (Sticky, "interval_widens_with_confidence", "at() changes the detector itself"),
    (Unspoken, "details_survive_json", "ndarray is not JSON"),
    (Keyed, "details_survive_json", "come back from JSON as {'1': 2.0}"),
    (Resampling, "gives_the_same_again", "effect and interval depend on numpy's random state"),
    (Resampling, "changes_nothing_else", "changes numpy's random state"),
    (Reseeding, "changes_nothing_else", "changes Python's random state"),
    (Silent, "changes_nothing_else", "changes numpy's handling of errors"),
    (Empty, "says_when_there_is_too_little", "where no run is done it finds nan"),
    (Nothing, "finds_something_somewhere", "the finding's effect is nan"),
    (Bare, "finds_something_somewhere", "find() gives float"),
    (Wordless, "finds_something_somewhere", "its evidence ''"),
    (Mute, "says_when_there_is_too_little", "without words"),
    (Demanding, "finds_something_somewhere", "a hundred seeds are needed"),
    (Rolling, "plays_named_roles", "its roles are 'experiment'"),
    (Surprised, "bears_whatever_a_suite_may_hold", "sizes of several layers it raises ValueError"),
    (Warner, "warns_in_words", "warning() gives True"),
    (Drawn, "figure_can_be_shown", "figure() gives Figure"),
    (Unlabelled, "figure_can_be_shown", "Drawing.alternative is empty"),
    (Unrendered, "figure_can_be_shown", "figure() raises ValueError"),
    (Expectant, "figure_can_be_shown", "figure() without a finding raises AttributeError"),
]


def test_a_detector_that_keeps_its_contract_passes_every_check():
    assert {} == faults(Slope)
    assert "null worlds" in notes(Slope)[SLOW]


@pytest.mark.parametrize(
    ("detector", "check", "words"), FAULTS, ids=[f"{d.__name__}-{c}" for d, c, _ in FAULTS]
)
def test_a_broken_detector_is_found_by_its_check_and_told_what_is_wrong(detector, check, words):
    [one] = [one for one in checks_for(detector) if one.name == check]
    result = one.result()
    assert CheckOutcome.FAILED is result.outcome
    assert words in result.message


def test_a_detector_may_bring_a_figure_or_say_that_there_is_nothing_to_draw():
    assert "figure_can_be_shown" in notes(Annotating)
    assert {} == faults(Annotating)


def test_an_honest_detector_is_failed_less_than_once_in_a_thousand():
    """The bound is the binomial's: more findings than it allows are rarer than 1e-3 at 5 %."""
    most = largest_count(NULL_WORLDS)
    assert stats.binom.sf(most, NULL_WORLDS, 0.05) < 1e-3
    assert stats.binom.sf(most - 1, NULL_WORLDS, 0.05) >= 1e-3


def test_a_detector_of_levels_says_so_and_is_not_asked_about_noise():
    class Level(Slope):
        null = None

    [check] = [check for check in checks_for(Level) if check.name == SLOW]
    assert CheckOutcome.SKIPPED is check.result().outcome


def test_a_detector_is_shown_worlds_of_its_authors():
    class Wide(Slope):
        def find(self, data):
            if data["experiment"].sizes["seed"] < 9:
                raise NotEnoughDataError("nine seeds are needed")
            return super().find(data)

    world = {"experiment": dataset(dipping, data_sizes=(400,), seeds=9)}
    assert "nine seeds" in faults(Wide)["finds_something_somewhere"]
    found = faults(Wide, worlds=[world])
    assert set() == set(found) - {SLOW}


class Difference(Slope):
    """How much better one experiment ends than another."""

    name = "difference"
    roles = ("reference", "better")

    def find(self, data):
        ends = [self.final(data[role]).mean(["model_size", "data_size"]) for role in self.roles]
        gaps = (ends[1] - ends[0]).dropna("seed").to_numpy()
        if len(gaps) < 2:
            raise NotEnoughDataError("a difference needs two seeds")
        half = float(stats.t.ppf((1 + self.confidence) / 2, len(gaps) - 1) * stats.sem(gaps))
        mean = float(gaps.mean())
        return Finding(mean, mean - half, mean + half, "accuracy", len(gaps), "two experiments")


def test_two_experiments_that_differ_are_alike_where_runs_are_dealt_out() -> None:
    """Among both, or a detector of differences would find one in every null world."""
    world = {
        "reference": dataset(lambda run, noise: Story(generalized=0.1 * noise.random())),
        "better": dataset(grokking),
    }
    assert Difference().find(world).low > 0
    (check,) = [one for one in checks_for(Difference, worlds=[world]) if one.name == SLOW]
    assert CheckOutcome.OK is check.result().outcome, check.result().message
