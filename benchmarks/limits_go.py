# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go program that uses all CPUs it knows of, under a slice's quota of two of four, which it cannot see: as it is, and told by cgroup_limits."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import playbooks
from tests.hosts import hosts
from tests.hosts.host import Host
from tests.integration.go_programs import Build, built
from tests.integration.playbook import reached

HEAD = ("Go 1.27 under a slice's 200 % of 4 CPUs, v2", "alone", "go_runtime: auto")
_IMAGE, _SECONDS = "vm:bookworm", 15
_PROGRAM = "/opt/gohost-bench/busy"
_WAYS = {"gohostalone": "off", "gohosttold": "auto"}  # a slice and a service of each name
_FIGURES = {
    "GOMAXPROCS": ("procs", "{:.0f}"),
    "requests a second": ("rate", "{:.0f}"),
    "request, median": ("p50", "{:.1f} ms"),
    "request, 99th of 100": ("p99", "{:.1f} ms"),
    "request, longest": ("max", "{:.0f} ms"),
    "collector's pauses": ("pauses", "{:.0f}"),
    "pause, median": ("pause_p50", "{:.2f} ms"),
    "pause, longest": ("pause_max", "{:.1f} ms"),
    "periods in which it was stopped": ("stopped", "{:.0%}"),
    "time stopped, of all its CPUs": ("seconds", "{:.1f} s"),
}


def rows(scratch: Path, rounds: int) -> list[tuple[str, ...]]:
    """Medians of so many turns of each way, a quarter of a minute each."""
    (program,) = built(Path(__file__).parent / "busy", [Build("1.27.4", "1.27")]).values()
    host = hosts.start(_IMAGE, "bench-limits-go")
    try:
        with program.open("rb") as content:
            subprocess.run(host.ssh(f"mkdir -p $(dirname {_PROGRAM}) && cat >{_PROGRAM} && chmod 755 {_PROGRAM}"), stdin=content, check=True)
        for way in _WAYS:
            unit = f"[Service]\nType=oneshot\nSlice={way}.slice\nStandardOutput=truncate:/run/{way}\nExecStart={_PROGRAM} {_SECONDS}\n"
            subprocess.run(host.ssh(f"cat >/etc/systemd/system/{way}.service"), input=unit.encode(), check=True)
        wishes = [{"unit": f"{way}.slice", "cpu_quota": 2} for way in _WAYS]
        wishes += [{"unit": f"{way}.service", "go_runtime": go_runtime} for way, go_runtime in _WAYS.items()]
        playbooks.play(scratch / "limits-go", [{"name": "limits", "gohost.linux.cgroup_limits": {"units": wishes}}], {"guest": reached(host)})
        found: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
        for number in range(rounds):
            for way in sorted(_WAYS, reverse=bool(number % 2)):
                found[way].append(_turn(host, way))
                print(f"  {number + 1}/{rounds}, {way}: {found[way][-1]}", file=sys.stderr)
    finally:
        hosts.stop(host)
    medians = {way: {name: statistics.median(turn[name] for turn in turns) for name in turns[0]} for way, turns in found.items()}
    return [(title, *(form.format(medians[way][name]) for way in _WAYS)) for title, (name, form) in _FIGURES.items()]


def _turn(host: Host, way: str) -> dict[str, float]:
    stat = f"/sys/fs/cgroup/{way}.slice/cpu.stat"
    done = host.run(f"systemctl start {way}.slice; cat {stat}; echo; systemctl start {way}.service; cat {stat}; echo; cat /run/{way}", 10 * _SECONDS)
    if done.returncode:
        sys.exit(f"{host.name}: {done.stderr[-4000:]}")
    before, after, said = done.stdout.split("\n\n")
    counts = [{name: int(value) for name, value in (line.split() for line in text.splitlines())} for text in (before, after)]
    periods, throttled, spent = (counts[1][name] - counts[0].get(name, 0) for name in ("nr_periods", "nr_throttled", "throttled_usec"))
    figures: dict[str, float] = json.loads(said)
    return {**figures, "stopped": throttled / periods, "seconds": spent / 1e6}
