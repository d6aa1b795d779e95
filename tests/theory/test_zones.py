"""The zone in which each cell of a grid lies."""

from __future__ import annotations

import numpy as np

from grokbench.readout import Dynamic
from grokbench.theory import zones
from tests.phenomena.worlds import memorizing
from tests.theory.worlds import MEMORIZATION, by_theory, target


def predicted_zones(dataset):
    return zones(MEMORIZATION, dataset, dataset)["zone"]


def test_each_zone_lies_where_the_curves_say():
    predicted = predicted_zones(target(by_theory))
    for (size, data_size), expected in {
        (8, 800): Dynamic.PROGRESSION,
        (64, 200): Dynamic.UNGROKKING,
        (64, 400): Dynamic.SEMI_GROKKING,
        (64, 700): Dynamic.GROKKING,
    }.items():
        assert expected == predicted.sel(model_size=size, data_size=data_size).item()


def test_a_model_size_does_not_predict_itself():
    """What size 32 did is exchanged for something else; its own prediction must stay."""
    honest = target(by_theory)
    odd = target(lambda size, *rest: memorizing() if size == 32 else by_theory(size, *rest))
    same = predicted_zones(honest).sel(model_size=32) == predicted_zones(odd).sel(model_size=32)
    assert same.all()


def test_where_nothing_generalizes_nothing_is_expected_to_grok():
    predicted = predicted_zones(target(lambda *_: memorizing()))
    dynamics = set(predicted.sel(model_size=[64, 128]).to_numpy().ravel().tolist())
    assert int(Dynamic.GROKKING) not in dynamics


def test_probabilities_of_the_zones_add_up_to_one():
    dataset = target(by_theory)
    total = zones(MEMORIZATION, dataset, dataset)["probability"].sum("dynamic")
    assert np.allclose(1, total)


def test_a_size_whose_critical_data_size_cannot_be_read_off_others_is_unknown():
    """Each size is left out of its own fit, so two sizes leave one, through which no line goes."""
    dataset = target(by_theory).sel(model_size=[8, 64])
    found = zones(MEMORIZATION, dataset, dataset)
    assert {int(Dynamic.UNKNOWN)} == set(found["zone"].to_numpy().ravel().tolist())
    assert np.isnan(found["probability"]).any("dynamic").all()
