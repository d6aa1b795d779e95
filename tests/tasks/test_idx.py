"""IDX files, plain and packed, sound and damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grokbench import DataError
from grokbench.tasks.idx import read_idx
from tests.tasks.idx_files import CODES, idx

WORDS = idx([[1, 2, 3], [4, 5, 6]])
"""Two rows of three numbers: a header of twelve bytes, then six bytes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "numbers"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("numbers", CODES)
def test_what_was_written_is_read(path: Path, numbers: str, pack) -> None:
    array = np.array([[[0, 1], [2, 100]], [[3, 4], [5, 127]]])
    path.write_bytes(pack(idx(array, numbers)))
    assert array.tolist() == read_idx(path).tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is not an IDX file (it begins with 89 50 4e 47)"),
        (b"\0\0\x08", "is not an IDX file (it begins with 00 00 08)"),
        (b"\0\0\x07\x01\0\0\0\x01\0", "is not an IDX file (it begins with 00 00 07 01)"),
        (WORDS[:10], "its header is cut off, and the file has 10"),
        (WORDS[:-1], "is damaged: [2, 3] numbers are 18 bytes, and the file has 17"),
        (WORDS + b"\0", "is damaged: [2, 3] numbers are 18 bytes, and the file has 19"),
        (gzip.compress(WORDS)[:-9], "the gzip file is damaged"),
        (gzip.compress(WORDS)[:6], "the gzip file is damaged"),
        (gzip.compress(WORDS[:-1]), "numbers are 18 bytes, and the file has 17"),
    ],
    ids=range(10),
)
def test_a_damaged_file_is_told(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read_idx(path)


@given(content=st.binary(max_size=40), packed=st.booleans(), header=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_numbers_or_a_data_error(
    path: Path, content: bytes, packed: bool, header: bool
) -> None:
    content = WORDS[:8] + content if header else content
    path.write_bytes(b"\x1f\x8b" + content if packed else content)
    try:
        numbers = read_idx(path)
    except DataError:
        return
    assert len(path.read_bytes()) == 4 + 4 * numbers.ndim + numbers.nbytes
