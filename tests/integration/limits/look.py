# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a host: what systemd and the kernel say of units, and all files that decide it. UNIT…; prints JSON."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

CGROUPS = [Path("/sys/fs/cgroup")] + [Path("/sys/fs/cgroup", name) for name in ("memory", "cpu", "pids", "blkio")]
LIMITS = re.compile(
    r"memory\.(min|low|high|max|swap\.max|limit_in_bytes)|cpu\.(max|weight|idle|shares|cfs_(quota|period)_us)|cpuset\.cpus|pids\.max"
    r"|io\.(max|weight|bfq\.weight)|blkio\.(bfq\.)?weight|blkio\.throttle\.(read|write)_(bps|iops)_device"
)
TREES = ("/etc/systemd/system", "/etc/systemd/system.control", "/run/systemd/system", "/run/systemd/system.control")


SHOWN = (
    "Id,LoadState,ActiveState,FragmentPath,DropInPaths,NeedDaemonReload,MainPID,ControlGroup,Slice,Environment,OOMPolicy,OOMScoreAdjust,LimitNOFILE,"
    "DelegateControllers,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,CPUWeight,AllowedCPUs,MemoryMin,MemoryLow,MemoryHigh,MemoryMax,MemorySwapMax,TasksMax,IOWeight,"
    "IOReadBandwidthMax,ManagedOOMSwap,ManagedOOMMemoryPressure,ManagedOOMMemoryPressureLimit,ManagedOOMPreference,Result"
)


def shown(units: list[str]) -> list[dict[str, str]]:
    text = subprocess.run(["systemctl", "show", "--no-pager", f"--property={SHOWN}", "--", *units], check=True, capture_output=True, text=True).stdout
    return [block(lines.splitlines()) for lines in text.strip("\n").split("\n\n")]


def block(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (line.split("=", 1) for line in lines if "=" in line):
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def kernel(cgroup: str) -> dict[str, str]:
    found = {}
    for directory in [top / cgroup.lstrip("/") for top in CGROUPS if cgroup]:
        for path in directory.glob("*"):
            if LIMITS.fullmatch(path.name):
                found[path.name] = path.read_text().strip()
    return found


def process(pid: str) -> dict[str, str]:
    if pid in ("", "0"):
        return {}
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (files,) = (" ".join(line.split()[3:5]) for line in limits if line.startswith("Max open files"))
    variables = [word.decode() for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if word.startswith(b"GO")]
    return {"nofile": files, "oom_score_adj": Path(f"/proc/{pid}/oom_score_adj").read_text().strip(), "environment": " ".join(variables)}


def main() -> None:
    units = {}
    for unit, properties in zip(sys.argv[1:], shown(sys.argv[1:]), strict=True):
        units[unit] = {"show": properties, "kernel": kernel(properties.get("ControlGroup", "")), "process": process(properties.get("MainPID", ""))}
    files = {}
    for path in sorted(path for tree in TREES for path in Path(tree).rglob("*")):
        seen = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_text(errors="replace") if path.is_file() else ""
        files[str(path)] = f"{seen.st_ino} {seen.st_mtime_ns} {seen.st_mode:o} {seen.st_uid}:{seen.st_gid} {content}"
    journal = subprocess.run(["journalctl", "-b", "-o", "cat", "--no-pager", "_PID=1"], check=True, capture_output=True, text=True).stdout
    reloads = sum(line.startswith("Reloading") and "finished" not in line and "requested" not in line for line in journal.splitlines())
    print(json.dumps({"units": units, "files": files, "reloads": reloads, "run": sorted(str(path) for path in Path("/run").glob("gohost*"))}))


main()
