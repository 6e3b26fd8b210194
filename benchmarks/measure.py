# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of measurements, and the table that they make."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """What ours and its peer took, one right after the other, in seconds."""

    ours: float
    peer: float


def pairs(count: int, ours: Callable[[int], float], peer: Callable[[int], float]) -> list[Pair]:
    """Measure in turn, so that what else the machine does meets both alike; who begins alternates."""
    found = []
    for number in range(count):
        if number % 2:
            other = peer(number)
            found.append(Pair(ours(number), other))
        else:
            found.append(Pair(ours(number), peer(number)))
        print(f"  {number + 1}/{count}: {found[-1].ours:.3f} s, peer {found[-1].peer:.3f} s", file=sys.stderr)
    return found


def row(name: str, found: Sequence[Pair], limit: str) -> tuple[str, ...]:
    ratios = [pair.ours / pair.peer for pair in found]
    ours, peer = (statistics.median(values) for values in zip(*found, strict=True))
    return (name, seconds(ours), seconds(peer), f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} – {max(ratios):.2f}", limit, str(len(found)))


HEAD = ("what", "ours", "peer", "ratio", "min – max", "limit", "pairs")


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, aligned; the first column to the left, the others to the right."""
    first, *widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return " | ".join([f"| {cells[0]:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(cells[1:], widths, strict=True))]) + " |"

    rule = "|".join([f"|{'-' * (first + 2)}", *("-" * (width + 1) + ":" for width in widths)]) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def output(argv: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a program prints; its failure ends the benchmark."""
    ended = subprocess.run([str(word) for word in argv], env=env, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, argv))} ended with status {ended.returncode}:\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}")
    return ended.stdout


def settle() -> None:
    """Write out what earlier measurements left in memory."""
    os.sync()
