# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from what was seen: environment that a Go program should have, limits that would fit it, warnings. Pure."""

from typing import Dict, List, Optional, Tuple, Union

from ..binaries.parse import release
from . import predict
from .model import Bound, Observed, Prediction, Used
from .quantities import gomemlimit, human

HEADROOM = 0.9  # of the memory limit for the Go runtime's own; the rest is for the program's code, C, and the kernel
_LEAST_GOMEMLIMIT = 4 << 20  # below it even an empty program would collect garbage without end
_BESIDE = 0.05  # of the limit: what other processes in the same cgroup may use and still be ignored
_MARGIN = 1.25  # of proposed limits above what was used
_STEP = 16 << 20
_LEAST_TASKS = 64  # the runtime starts a thread for each blocking system call
_THROTTLED = 0.05  # of the periods
_OFF = {
    "release": "Go before 1.25 knows no quota",
    "godebug": "GODEBUG says containermaxprocs=0",
    "default_godebug": "the go line of its go.mod is older than 1.25",
}


def wished_procs(seen: Observed) -> int:
    """GOMAXPROCS that fits what the kernel enforces: min(affinity, max(2, ceil(tightest quota)))."""
    cpus = max(len(seen.cpus), 1)
    bound = seen.effective.cpus
    return cpus if bound is None else min(cpus, predict.procs(bound.value))


def environment(seen: Observed, headroom: float = HEADROOM) -> Dict[str, str]:
    """What a program should get told because the runtime cannot know it; empty where it knows, and for what is no Go program."""
    if seen.alone is None:
        return {}
    found = {}
    if seen.alone.value != wished_procs(seen):
        found["GOMAXPROCS"] = str(wished_procs(seen))
    memory = _memory_target(seen, headroom)
    if memory is not None:
        found["GOMEMLIMIT"] = gomemlimit(memory)
    return found


def _memory_target(seen: Observed, headroom: float) -> Optional[int]:
    bound = seen.effective.heap
    if bound is None or seen.sharing.elsewhere or seen.sharing.beside > bound.value * _BESIDE:
        return None
    target = int(bound.value * headroom)
    return target if target >= _LEAST_GOMEMLIMIT else None


def proposed(seen: Observed, used: Optional[Used]) -> Dict[str, Union[str, float, int]]:
    """Limits that would have been enough, with a margin, named as systemd's; only of what was measured.

    memory_max from the peak, unless it ran into its limit; cpu_quota in CPUs from the busiest part of the window; tasks_max.
    """
    if used is None:
        return {}
    found: Dict[str, Union[str, float, int]] = {}
    if used.peak and not _at_limit(seen, used):
        found["memory_max"] = f"{-(-int(used.peak * _MARGIN) // _STEP) * (_STEP >> 20)}MiB"
    if used.busiest is not None and not _throttled(used):
        found["cpu_quota"] = max(-(-used.busiest * _MARGIN // 0.25) * 0.25, 0.25)
    tasks = max(used.tasks or 0, used.tasks_peak or 0)
    if tasks:
        found["tasks_max"] = max(2 * tasks, _LEAST_TASKS)
    return found


def _at_limit(seen: Observed, used: Used) -> bool:
    bound = seen.effective.memory
    return bool(used.events.get("oom_kill")) or (bound is not None and used.memory_of == "cgroup" and (used.peak or 0) >= 0.98 * bound.value)


def _throttled(used: Used) -> List[Tuple[str, float]]:
    """Cgroups that were stopped in more than a few of their periods, and in which part of them."""
    return [(node.path, each.throttled / each.periods) for node, each in used.throttling if each.throttled > _THROTTLED * each.periods]


def warnings(seen: Observed, used: Optional[Used] = None, headroom: float = HEADROOM) -> List[str]:
    """What a person should know, a sentence each; the worst first."""
    found = []
    if seen.prediction is not None:
        found += _memory(seen, headroom) + _cpu(seen, seen.prediction)
    if used is not None:
        kills = used.events.get("oom_kill", 0)
        if kills:
            found.append(f"The kernel killed {kills} of its processes for want of memory.")
        if _at_limit(seen, used) and not kills:
            found.append("Its memory has reached its limit: how much it would use is not known.")
        found += [f"{path} was stopped in {share:.0%} of its periods for want of quota." for path, share in _throttled(used)]
    return found


def _cpu(seen: Observed, prediction: Prediction) -> List[str]:
    bound = seen.effective.cpus
    given, wished = seen.environment.get("GOMAXPROCS"), wished_procs(seen)
    found = []
    if given and prediction.cause != "environment":
        found.append(f"GOMAXPROCS={given} is no number for this release of Go and is ignored.")
    if prediction.value > wished:
        text = f"Go takes {prediction.value} CPUs, the kernel gives {_allowed(seen, bound)}"
        if prediction.cause == "environment":
            found.append(f"{text}: GOMAXPROCS={given} is too much, {wished} fits.")
        else:
            found.append(f"{text}: {_reason(seen, prediction)}. Set GOMAXPROCS={wished}.")
    return found


def _allowed(seen: Observed, bound: Optional[Bound]) -> str:
    if bound is None or bound.value >= len(seen.cpus):
        return f"{len(seen.cpus)} (affinity)"
    return f"{bound.value:g} ({bound.node.path})"


def _reason(seen: Observed, prediction: Prediction) -> str:
    if prediction.off:
        return _OFF[prediction.off]
    if seen.bug and seen.build is not None and (release(seen.build.version) or predict.OLDEST) > (1, 25):
        return "Go since 1.26 does not read the mounts behind one whose root is no path, as of a named network namespace"
    if seen.bug:
        return "Go 1.25 looks into the wrong directory where the cgroup mount has another root than / (golang/go#76390)"
    return "it reads the quota of its own cgroup only, not of those above"


def _memory(seen: Observed, headroom: float) -> List[str]:
    bound, given = seen.effective.heap, seen.environment.get("GOMEMLIMIT", "")
    line = release(seen.build.version) if seen.build is not None else None
    limit = predict.memory_limit(given, line or predict.NEWEST)
    if limit is None:
        return [f"GOMEMLIMIT={given} ends every Go program at its start: write bytes, or KiB, MiB, GiB or TiB."]
    if bound is None:
        return []
    allowed = f"the kernel gives {human(bound.value)} ({bound.node.path})"
    if limit <= bound.value:
        return []
    if given not in ("", "off"):
        return [f"GOMEMLIMIT={given} is no limit, {allowed}."]
    target = _memory_target(seen, headroom)
    if target is not None:
        return [f"Go knows no limit of memory, {allowed}. Set GOMEMLIMIT={gomemlimit(target)}."]
    if seen.sharing.elsewhere or seen.sharing.beside:
        return [f"Go knows no limit of memory, {allowed}, which it shares with other programs: set GOMEMLIMIT to its part."]
    return [f"Go knows no limit of memory, {allowed}, which is too little for a GOMEMLIMIT."]
