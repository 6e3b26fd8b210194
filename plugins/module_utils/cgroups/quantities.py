# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as people write them: sizes, shares, CPUs. Pure."""

import re
from typing import NamedTuple, Optional, Union

from ..errors import GoHostError

_SUFFIXES = ("", "K", "M", "G", "T", "P", "E")
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*(?:([KMGTPE])(iB|B)?|B)?\Z", re.ASCII)
_PERCENT = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?\s*%\Z", re.ASCII)
_COUNT = re.compile(r"0*[1-9]\d{0,18}\Z", re.ASCII)
_CPUS = re.compile(r"\d{1,6}(?:\.\d{1,6})?\Z", re.ASCII)
_MOST = (1 << 63) - 1
MICROSECONDS = 1000000
INFINITY = "infinity"


class Amount(NamedTuple):
    """A limit as it was wished. number: bytes or a count; share: parts of 10,000 of what the machine has. None both: infinity."""

    number: Optional[int] = None
    share: Optional[int] = None

    @property
    def infinite(self) -> bool:
        return self.number is None and self.share is None

    def of(self, total: int) -> Optional[int]:
        """As a number, on a machine that has `total`; None is no limit. Rounded down, as systemd does."""
        return self.number if self.share is None else total * self.share // 10000

    def __str__(self) -> str:
        """As systemd takes it."""
        if self.share is not None:
            return percent(self.share)
        return INFINITY if self.number is None else str(self.number)


def short(amount: Amount) -> str:
    """A size as systemd takes it, with the largest suffix that leaves it exact: 512M is 512 MiB (systemd.syntax(7))."""
    number = amount.number
    if not number:
        return str(amount)
    power = max(each for each in range(len(_SUFFIXES)) if number % (1 << (10 * each)) == 0)
    return f"{number >> (10 * power)}{_SUFFIXES[power]}"


def percent(share: int) -> str:
    """Parts of 10,000 as systemd writes a percentage."""
    return f"{share // 100}.{share % 100:02d}".rstrip("0").rstrip(".") + "%"


def size(value: Union[int, str], name: str = "size") -> Amount:
    """Bytes: 536870912, "512MiB", "512M" (systemd's, 1024 too), "25%", "infinity".

    "512MB" is refused: it is 1000 for some and 1024 for others.
    """
    text = str(value).strip()
    if text == INFINITY:
        return Amount()
    share = _share(text)
    if share is not None:
        if share > 10000:
            raise GoHostError(f"{name} is more than 100 %", value, "Give at most 100% of the machine's memory.")
        return Amount(share=share)
    found = _SIZE.match(text)
    if found is None:
        raise GoHostError(f"{name} is no size", value, 'Give bytes, "512MiB", "25%" or "infinity".')
    number, suffix, unit = found.groups()
    if suffix and unit == "B":
        raise GoHostError(f"{name} has a suffix that means two things", value, f"Write {number}{suffix}iB.")
    exact = _times(number, 1 << (10 * _SUFFIXES.index(suffix or "")))
    if exact is None or exact > _MOST:
        raise GoHostError(f"{name} is no whole number of bytes below 8 EiB", value, "Give another size.")
    return Amount(exact)


def count(value: Union[int, str], name: str = "count") -> Amount:
    """A number of tasks: 512, "25%", "infinity"."""
    text = str(value).strip()
    share = _share(text)
    if text == INFINITY:
        return Amount()
    if share is not None and 0 < share <= 10000:
        return Amount(share=share)
    if share is None and _COUNT.match(text) and int(text) <= _MOST:
        return Amount(int(text))
    raise GoHostError(f"{name} is no number of tasks", value, 'Give a number above 0, at most "100%", or "infinity".')


def cpus(value: Union[int, float, str], name: str = "cpu_quota") -> Optional[int]:
    """CPU time as microseconds per second: 1.5 and "150%" are 1500000; "infinity" is None.

    systemd keeps hundredths of a percent, so no more is taken.
    """
    text = str(value).strip()
    if text == INFINITY:
        return None
    share = _share(text)
    if share is None and _CPUS.match(text):
        share = _times(text, 10000)
    if not share:
        raise GoHostError(f"{name} is no amount of CPU time", value, 'Give CPUs as in 1.5, a percentage of one CPU as in "150%", or "infinity".')
    return share * (MICROSECONDS // 10000)


def _times(decimal: str, factor: int) -> Optional[int]:
    """A decimal number such as "1.5" times a factor; None where that is not a whole number."""
    whole, _point, digits = decimal.partition(".")
    product, rest = divmod(int(whole + digits) * factor, 10 ** len(digits))
    return None if rest else product


def _share(text: str) -> Optional[int]:
    found = _PERCENT.match(text)
    return int(found.group(1)) * 100 + int((found.group(2) or "").ljust(2, "0")) if found else None


def human(number: float) -> str:
    """Bytes for a person to read, with at most one digit after the point."""
    suffixes = ["", "Ki", "Mi", "Gi", "Ti"]
    while number >= 1024 and len(suffixes) > 1:
        number /= 1024
        del suffixes[0]
    return f"{number:.1f}".rstrip("0").rstrip(".") + f" {suffixes[0]}B"


def gomemlimit(number: int) -> str:
    """Bytes as the runtime takes them (golang/go:src/runtime/string.go, parseByteCount): whole MiB, below one as KiB, below that as B."""
    for suffix, unit in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= unit:
            return f"{number // unit}{suffix}"
    return f"{number}B"
