"""Amounts as people read them: `4 min`, `1 700 runs`."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Rounded to what matters: `35 s`, `4 min`, `1 h 20 min`, `2 d 3 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    # Two units only where the smaller one matters: 100 min is "1 h 40 min", 99 min stays minutes.
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def count(number: int, noun: str) -> str:
    """`1 run`, `12 runs`, `100 000 runs` (with a narrow no-break space)."""
    return f"{amount(number)} {noun}" if number == 1 else f"{amount(number)} {noun}s"


def amount(number: int) -> str:
    """`12`, `100 000` (with a narrow no-break space)."""
    return f"{number:,}".replace(",", "\u202f")


def size(count: int) -> str:
    """Bytes: `12 kB`, `3.4 MB`, `1.2 GB`."""
    amount, unit = count / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1e3, larger
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
