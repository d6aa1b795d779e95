"""Reads the text of a suite, which is TOML. No other room is imported: `grokbench list suites` is fast."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from grokbench.errors import Mistake, SuiteError

LARGEST = 16 * 2**20
"""Bytes that are read of a suite. A device such as /dev/zero never ends."""

MANY_DIGITS = re.compile(r"\w{3000,}")
"""Part of a whole number that has more digits than Python converts (4300, decimal)."""


def read_text(path: Path) -> str:
    """The text of a suite's file.

    Raises:
        SuiteError: the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            message = f"has more than {LARGEST // 2**20} MB; name a suite, which is a short text"
            raise SuiteError(str(path), [Mistake("", message)])
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise SuiteError(str(path), [Mistake("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text: {error.reason} at byte {error.start}"
        raise SuiteError(str(path), [Mistake("", message)]) from None
    except ValueError as error:  # a path with NUL
        raise SuiteError(repr(str(path)), [Mistake("", f"cannot be read: {error}")]) from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML. A byte order mark, as some editors for Windows write it, is no part of the text.

    Raises:
        SuiteError: the text is not TOML; with line and column.
    """
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
        repr(document)  # refuses numbers of more digits than Python prints, in hexadecimal digits
    except tomllib.TOMLDecodeError as error:
        message, where = str(error), ""
        match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
        if match:
            message, where = match[1], match[2]
        if where == "end of document":
            lines = text.split("\n")
            where = f"line {len(lines)}, column {len(lines[-1]) + 1}"
        mistake = Mistake(where, f"is not TOML: {message[0].lower()}{message[1:]}")
        raise SuiteError(source, [mistake]) from None
    except (ValueError, RecursionError) as error:
        digits = MANY_DIGITS.search(text)
        if digits and isinstance(error, ValueError):
            where = f"line {text.count(chr(10), 0, digits.start()) + 1}"
            mistake = Mistake(
                where, "has a number with thousands of digits; write a smaller number"
            )
            raise SuiteError(source, [mistake]) from None
        mistake = Mistake("", f"cannot be read as TOML: {error}")
        raise SuiteError(source, [mistake]) from None
    return document
