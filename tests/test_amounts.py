from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench import amounts


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [
        ("0 s", 0),
        ("99 s", 99.4),
        ("2 min", 100),
        ("4 min", 236),
        ("1 h 40 min", 6000),
        ("2 h", 7200),
        ("2 d 3 h", 51 * 3600),
        ("3 d", 72 * 3600),
    ],
)
def test_a_duration_is_rounded_to_what_matters(expected: str, seconds: float) -> None:
    assert expected == amounts.duration(seconds)


@given(st.floats(min_value=100, max_value=1e8))
def test_a_rounded_duration_is_within_a_tenth(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = amounts.duration(seconds).split()
    told = sum(int(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert seconds == pytest.approx(told, rel=0.21 if seconds < 200 else 0.13)


@pytest.mark.parametrize(
    ("expected", "number"),
    [("0 runs", 0), ("1 run", 1), ("12 runs", 12), ("1\u202f700 runs", 1700)],
)
def test_a_count_agrees_with_its_noun(expected: str, number: int) -> None:
    assert expected == amounts.count(number, "run")
