#!/usr/bin/python
# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: cgroup_limits
short_description: Limit systemd's units, and tell the Go programs in them
version_added: 0.1.0
author:
  - The gohost.linux authors (@gohost)
description:
  - Limits services, slices and scopes by one drop-in for each, with one C(systemctl daemon-reload) for all, and verifies in the kernel's own files that
    the limits are there.
  - Tells Go programs what their runtime cannot know. It reads a CPU quota only since Go 1.25 and only that of its own cgroup, and never a limit of memory.
    For a service whose program Go has built, GOMAXPROCS and GOMEMLIMIT that fit the tightest limit on it go into the drop-in.
  - What systemd would ignore without a word on this host is refused before anything is written.
  - A drop-in holds what is wished in this call and nothing else. What is not named any more goes, and the units get what their other files say.
options:
  units:
    description:
      - Units and their limits.
    type: list
    elements: dict
    required: true
    suboptions:
      unit:
        description:
          - Name of a service, slice or scope.
          - V(user-.slice) is all units of that prefix, V(app@.service) all instances of a template, V(app@1.service) one of them.
          - A slice needs no file of its own. It is there as soon as something is placed in it.
        type: str
        required: true
      state:
        description: With V(absent) the drop-in goes.
        type: str
        choices: [present, absent]
        default: present
      runtime:
        description: The drop-in is below C(/run) and gone at the next boot. It wins over the lasting one, which is left as it is.
        type: bool
        default: false
      memory_min:
        description: Memory that is never reclaimed. Sizes are bytes, V(512MiB), V(2GiB), V(25%) of the machine's memory, or V(infinity).
        type: str
      memory_low:
        description: Memory that is reclaimed only when nothing else can be.
        type: str
      memory_high:
        description: Memory above which processes are throttled and their memory is reclaimed. Not with cgroup v1.
        type: str
      memory_max:
        description: Memory above which the kernel's OOM killer kills processes.
        type: str
      memory_swap_max:
        description: Swap that may be used. Not with cgroup v1.
        type: str
      cpu_quota:
        description: CPU time, in CPUs as in V(1.5), as systemd's V(150%), or V(infinity).
        type: str
      cpu_quota_period:
        description: Period over which the quota is counted, in seconds from 0.001 to 1. Without it, systemd takes 0.1.
        type: float
      cpu_weight:
        description: Share of CPU time where it is scarce, from V(1) to V(10000), or V(idle). Others have V(100).
        type: str
      allowed_cpus:
        description: CPUs to run on, as in V(0-3,8). Not with cgroup v1.
        type: str
      tasks_max:
        description: Processes and threads, a number, V(25%) of those that the machine can have, or V(infinity).
        type: str
      io_weight:
        description: Share of input and output where it is scarce, from V(1) to V(10000). Others have V(100).
        type: int
      io_read_bandwidth_max:
        description: The most bytes per second that are read from a device.
        type: list
        elements: dict
        suboptions: &device
          device:
            description: A device, or a file on it. In all options of a unit the same name for the same device.
            type: path
            required: true
          limit:
            description: A size, or a number of operations.
            type: str
            required: true
      io_write_bandwidth_max:
        description: The most bytes per second that are written to a device.
        type: list
        elements: dict
        suboptions: *device
      io_read_iops_max:
        description: The most read operations per second on a device. Not with cgroup v1.
        type: list
        elements: dict
        suboptions: *device
      io_write_iops_max:
        description: The most write operations per second on a device. Not with cgroup v1.
        type: list
        elements: dict
        suboptions: *device
      managed_oom_swap:
        description: Whether systemd-oomd kills the unit's processes when swap is short.
        type: str
        choices: [auto, kill]
      managed_oom_memory_pressure:
        description: Whether systemd-oomd kills the unit's processes under memory pressure.
        type: str
        choices: [auto, kill]
      managed_oom_memory_pressure_limit:
        description: The memory pressure at which it does so, as in V(60%).
        type: str
      managed_oom_preference:
        description: Whether systemd-oomd kills other units first.
        type: str
        choices: [none, avoid, omit]
      oom_policy:
        description: What becomes of a service when the OOM killer has killed one of its processes.
        type: str
        choices: [continue, stop, kill]
      oom_score_adjust:
        description: How soon the OOM killer takes the service's processes, from V(-1000), never, to V(1000), first.
        type: int
      limit_nofile:
        description:
          - Files that a process of the service may have open. The hard limit; the soft one stays at 1024, for Go raises its own. In a container at most what
            systemd itself has there.
        type: int
      delegate:
        description: Controllers that are delegated to the service, which may hand them on to cgroups of its own.
        type: list
        elements: str
        choices: [cpu, cpuset, io, memory, pids]
      slice:
        description: The slice that the service is placed in.
        type: str
      go_runtime:
        description:
          - With V(auto) the service's program is told GOMAXPROCS, as the least of its CPUs and the tightest CPU quota on it, rounded up and at least two, and
            GOMEMLIMIT, as O(units[].memory_headroom) of the tightest memory limit. Programs that Go has not built are told nothing.
          - GOMAXPROCS is left out where the release of Go chooses that by itself, so that it follows changes.
          - GOMEMLIMIT is left out where there is no limit, and where others have processes below the slice whose limit it is, unless
            O(units[].memory_share) says the service's part.
          - What the unit's other files, their C(EnvironmentFile=) and systemd itself tell the program stays as it is, and what C(UnsetEnvironment=) of another
            file would take away is left out.
        type: str
        choices: [auto, 'off']
        default: auto
      memory_headroom:
        description: Part of the memory limit that becomes GOMEMLIMIT. The rest is for what the Go runtime does not count.
        type: float
        default: 0.9
      memory_share:
        description: The service's part of a memory limit that it shares with others, as in V(50%), or a size.
        type: str
  restart:
    description:
      - Which running services are restarted. Most limits need no restart. The environment, C(limit_nofile), C(oom_score_adjust), C(delegate) and C(slice)
        count at a service's start only.
      - V(never) none; RV(units[].restart_required) says which should be.
      - V(needed) those that run without something that they would have after a restart.
      - V(always) also those whose drop-in is changed.
    type: str
    choices: [never, needed, always]
    default: never
  force:
    description:
      - Set O(units[].memory_max) also where more is used now, so that the OOM killer kills processes at once. Or take it away where other files of the unit
        allow less than that.
    type: bool
    default: false
attributes:
  check_mode:
    description: Tells exactly what a run does.
    support: full
  diff_mode:
    description: Shows the drop-ins, before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  platform:
    description: Linux with systemd 239 or newer and Python 3.6 or newer, with cgroup v1 or v2.
    platforms: linux
    support: full
notes:
  - Drop-ins are C(/etc/systemd/system/UNIT.d/90-gohost-limits.conf), after what C(systemctl set-property) writes. Those of prefixes and templates begin with
    80 to 84, the narrower the later, those of O(units[].runtime) with 95 and 85 to 89. Their first line says whose they are.
  - A run that is killed between writing and C(daemon-reload) leaves a mark below C(/run), and the next one reloads.
  - Limits that somebody has changed by hand in the kernel's files are set again.
seealso:
  - module: gohost.linux.go_runtime_info
  - name: systemd.resource-control(5)
    description: What each limit does.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html
"""

EXAMPLES = r"""
- name: A slice for builds, and a service that knows what it gets there
  gohost.linux.cgroup_limits:
    units:
      - unit: build.slice
        cpu_quota: 2
        memory_max: 4GiB
        tasks_max: 2000
      - unit: runner.service
        slice: build.slice
        memory_share: 75%
        limit_nofile: 65536
    restart: needed

- name: No user takes more than a quarter
  gohost.linux.cgroup_limits:
    units:
      - unit: user-.slice
        memory_max: 25%
        cpu_weight: 50

- name: Less until the next boot
  gohost.linux.cgroup_limits:
    units:
      - unit: crawler.service
        cpu_quota: 50%
        runtime: true

- name: As it was
  gohost.linux.cgroup_limits:
    units:
      - unit: build.slice
        state: absent
"""

RETURN = r"""
reloaded:
  description: Whether systemd was told to read its files, or would be in check mode.
  returned: success
  type: bool
systemd:
  description: Its version.
  returned: success
  type: int
  sample: 252
cgroup:
  description: V(v1), V(v2) or V(hybrid).
  returned: success
  type: str
  sample: v2
units:
  description: Of each wish, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    unit:
      description: As in O(units[].unit).
      type: str
    path:
      description: The drop-in.
      type: str
      sample: /etc/systemd/system/build.slice.d/90-gohost-limits.conf
    state:
      description: V(present) where there is a drop-in now, or would be after check mode, V(absent) where there is none.
      type: str
    configured:
      description: The limits in it, by their options, as systemd has them.
      type: dict
      sample: {memory_max: 4G, cpu_quota: 200%}
    effective:
      description: The tightest limits on it, its own or those of the slices above. Null where the unit is not known.
      type: dict
      contains:
        cpus:
          description: CPU time as a number of CPUs.
          type: float
          sample: 1.5
        cpus_by:
          description: The unit that sets it.
          type: str
          sample: build.slice
        memory:
          description: Bytes.
          type: int
        memory_by:
          description: The unit that sets it.
          type: str
        memory_high:
          description: Bytes above which it is slowed down.
          type: int
        swap:
          description: Bytes of swap.
          type: int
        tasks:
          description: Processes and threads.
          type: int
        tasks_by:
          description: The unit that sets it.
          type: str
        cpuset:
          description: CPUs that its processes start on.
          type: str
          sample: 0-3
    go_visible:
      description: What Go programs see there when they are told nothing.
      type: dict
      contains:
        gomaxprocs:
          description: Release → GOMAXPROCS that it chooses, with a C(go.mod) of that release.
          type: dict
          sample: {"1.24": 4, "1.25": 2}
    expected_gomaxprocs:
      description: GOMAXPROCS of the service's program at its next start. Null where it is not built by Go.
      type: int
    environment:
      description: What the drop-in tells the program.
      type: dict
      sample: {GOMAXPROCS: "2", GOMEMLIMIT: 3686MiB}
    live:
      description: Files of the kernel that hold the limits, of units that run.
      type: dict
      sample: {/sys/fs/cgroup/build.slice/memory.max: "4294967296"}
    conflicts:
      description: Other drop-ins that say something else.
      type: list
      elements: dict
      contains:
        option:
          description: The option that they set.
          type: str
        file:
          description: The drop-in.
          type: str
          sample: /etc/systemd/system.control/build.slice.d/50-MemoryMax.conf
        value:
          description: Its value there.
          type: str
        wins:
          description: Whether that one counts.
          type: bool
    restart_required:
      description: Whether a service runs without something that counts at its start.
      type: bool
    restarted:
      description: Whether it was restarted, or would be.
      type: bool
    warnings:
      description: What should be looked into, a sentence each.
      type: list
      elements: str
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import SeenTarget
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.plan import RELOAD, RESTART, Row
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.parse import printable
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.rows import effective
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import explained


def _row(row: Row, restarted: List[str], after: SeenTarget) -> Dict[str, Any]:
    found = row.started
    program = found.prediction if found is not None else None
    members = [member.name for member in row.target.members]
    return dict(
        unit=row.wish.target.name,
        path=row.target.path,
        state="absent" if row.text is None else "present",
        configured={option: values[0] if len(values) == 1 else list(values) for option, values in row.wish.settings.items()},
        effective=None if found is None else effective(found.effective._replace(cpuset=found.cpus)),
        go_visible=dict(gomaxprocs=dict(found.releases) if found is not None else {}),
        expected_gomaxprocs=None if program is None else program.value,
        environment=dict(row.environment),
        live={path: content.strip() for member in after.members for path, content in sorted(member.live.items())},
        conflicts=[conflict._asdict() for conflict in row.conflicts],
        restart_required=any(name not in restarted for name in row.restart),
        restarted=any(name in restarted for name in members),
        warnings=list(row.warnings),
    )


def run(module: AnsibleModule) -> Dict[str, Any]:
    outcome: Outcome = converge(AnsibleHost(module), wanted(module.params), module.check_mode)
    plan, rows = outcome.decision
    restarted = [step.thing for step in plan.of(RESTART)]
    for row in rows:
        for warning in row.warnings:
            module.warn(f"{row.wish.target.name}: {warning}")
    result: Dict[str, Any] = printable(
        dict(
            changed=plan.changed,
            diff=plan.diff(),
            reloaded=bool(plan.of(RELOAD)),
            systemd=outcome.before.systemd,
            cgroup=outcome.before.cgroup,
            units=[_row(row, restarted, after) for row, after in zip(rows, outcome.after.targets)],
        )
    )
    return result


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except GoHostError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=str(explained(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
