"""Days as bounds of a filter by date: reading ISO dates, their range, and midnight in this machine's time zone."""

from __future__ import annotations

import re
from datetime import date, datetime

from ..errors import SettingsError

# Windows cannot convert times before 1970 or after 3000; no image file is older than FAT's dates, which begin in 1980.
_FIRST, _LAST = 1980, 2999


def read_day(text: str) -> date | None:
    """Return the day of an ISO date such as 2025-01-31, None for an empty text.

    Raises:
        SettingsError: it is no such date.
    """
    text = text.strip()
    if not text:
        return None
    try:
        # Python 3.11 reads more forms than 3.10 does: both take this one.
        return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
    except ValueError:
        raise SettingsError(f"{text!r} is no date: write year-month-day, such as 2025-01-31.") from None


def check_days(since: date | None, before: date | None) -> None:
    """Refuse days out of range, or that leave nothing between them.

    Raises:
        SettingsError: which and why.
    """
    for day in filter(None, (since, before)):
        if not _FIRST <= day.year <= _LAST:
            raise SettingsError(f"The date {day} is out of range: give a year from {_FIRST} to {_LAST}.")
    if since and before and since >= before:
        raise SettingsError(
            f"No image was created since {since} and before {before}: give a later day to stop before, which is itself"
            " left out."
        )


def local_midnight(day: date) -> str:
    """Return the first moment of a day here, as text with its offset from UTC.

    PostgreSQL compares it as it is with a moment (timestamptz). With a time without a zone (timestamp), that of a clock
    on the wall, it ignores the offset.
    """
    return datetime(day.year, day.month, day.day).astimezone().isoformat()
