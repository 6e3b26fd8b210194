# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a host: start units whose programs say what they see, NUMBER of them in each, and wait until all have. NUMBER UNIT…

The first unit is started before the others: where the controller cpuset comes to be used, Linux 6.1 forgets the affinity of what runs there.

Prints JSON: said, unit → program → what it said; looks, process → the directory whose quota it holds open.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SAID, PROGRAMS = Path("/run/gohost-limits"), "/opt/gohost-limits/programs/"
PATIENCE = 120  # seconds; programs that share a small quota start slowly, most of all on emulated processors


def said(units: list[str]) -> dict[str, dict[str, str]]:
    return {unit: {path.name: path.read_text() for path in (SAID / unit).glob("*") if path.is_file()} for unit in units}


def looks(pid: str) -> str:
    links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    return next((os.path.dirname(link) for link in links if re.search(r"/cpu\.(max|cfs_quota_us)$", link)), "")


def of_ours(pid: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe").startswith(PROGRAMS)
    except OSError:  # it has ended, or is the kernel's
        return False


def main() -> None:
    number, units = int(sys.argv[1]), sys.argv[2:]
    for part in (units[:1], units[1:]):
        subprocess.run(["systemctl", "start", *part], check=True)
    end = time.monotonic() + PATIENCE
    while any(sum(text.endswith("\n") for text in programs.values()) < number for programs in said(units).values()):
        if time.monotonic() > end:
            sys.exit(f"not all have said something: {said(units)}")
        time.sleep(0.1)
    print(json.dumps({"said": said(units), "looks": {pid: looks(pid) for pid in os.listdir("/proc") if pid.isdigit() and of_ours(pid)}}))


main()
