from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.cli.options import Duration, Shard

small = st.integers(min_value=0, max_value=99)


@given(small, small, small)
def test_a_duration_adds_up_its_hours_minutes_and_seconds(h: int, m: int, s: int) -> None:
    written = "".join(f"{n}{unit}" for n, unit in ((h, "h"), (m, "m"), (s, "s")) if n)
    expected = 3600 * h + 60 * m + s
    if expected:
        assert expected == Duration().convert(written, None, None)
    else:
        with pytest.raises(click.BadParameter, match="longer than zero"):
            Duration().convert(written, None, None)


def test_a_bare_number_is_seconds() -> None:
    assert Duration().convert("1.5", None, None) == 1.5


@pytest.mark.parametrize("written", ["soon", "5 m", "-3", "3m2h", "1.5m"])
def test_what_is_not_a_duration_says_how_to_write_one(written: str) -> None:
    with pytest.raises(click.BadParameter, match="25m, 1h30m or 90s"):
        Duration().convert(written, None, None)


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_shard_is_one_of_its_count(index: int, count: int) -> None:
    if index <= count:
        assert (index, count) == Shard().convert(f"{index}/{count}", None, None)
    else:
        with pytest.raises(click.BadParameter, match=f"counted from 1 to {count}"):
            Shard().convert(f"{index}/{count}", None, None)


@pytest.mark.parametrize("written", ["", "2", "a/b", "0/3", "1/0", "-1/2"])
def test_what_is_not_a_shard_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        Shard().convert(written, None, None)
