# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: what this collection costs beside what people would do without it. It prints, and judges nothing."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".build"))

from benchmarks import fleet, install, limits, limits_go, material, measure, memory, restore, transaction, unchanged

PARTS = ("install", "unchanged", "restore", "transaction", "limits", "memory", "fleet", "limits-go")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description="Arguments go into ARGS.")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of installs and of restores (7)")
    parser.add_argument("--tasks", type=int, default=20, help="pairs of unchanged tasks (20)")
    parser.add_argument(
        "--looped", type=int, default=1, help="times that each record of a policy, and each unit, is a task of its own, at half an hour each (1)"
    )
    parser.add_argument("--only", action="append", default=[], choices=PARTS, help="measure this; may be repeated")
    options = parser.parse_args()
    only = options.only or PARTS
    (material.ROOT / ".build/tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=material.ROOT / ".build/tmp") as scratch:
        rows: list[tuple[str, ...]] = []
        if "install" in only:
            rows += install.rows(Path(scratch), options.rounds)
        if "unchanged" in only:
            rows += unchanged.rows(Path(scratch), options.tasks)
        if "restore" in only:
            rows += restore.rows(Path(scratch), options.rounds)
        if "transaction" in only:
            rows += transaction.rows(Path(scratch), 3, options.looped)
        if "limits" in only:
            rows += limits.rows(Path(scratch), options.rounds, options.looped)
        if rows:
            print(measure.table(measure.HEAD, rows), end="\n\n")
        if "memory" in only:
            print(measure.table(memory.HEAD, memory.rows(Path(scratch))), end="\n\n")
        if "fleet" in only:
            print(measure.table(fleet.HEAD, fleet.rows(Path(scratch))), end="\n\n")
        if "limits-go" in only:
            print(measure.table(limits_go.HEAD, limits_go.rows(Path(scratch), 3)))


main()
