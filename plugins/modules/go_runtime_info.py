#!/usr/bin/python
# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: go_runtime_info
short_description: Tell which limits a Go program sees, and which the kernel enforces
version_added: 0.1.0
author:
  - The gohost.linux authors (@gohost)
description:
  - Tells for processes, systemd units and programs which GOMAXPROCS the Go runtime chooses, by the rules of the release that has built them, beside what
    the kernel allows.
  - The Go runtime reads a CPU quota since 1.25, of its own cgroup only and not of those above. It never reads a memory limit.
    Where it takes more than it gets, there is a warning, and the environment that tells it.
  - Shows what was used, over the lifetime of the cgroup and over a window of time, and proposes limits that would have been enough.
  - Of environments only C(GOMAXPROCS), C(GOMEMLIMIT), C(GODEBUG) and C(GOGC) are returned.
  - Changes nothing.
options:
  pids:
    description:
      - Processes. At least one of O(pids), O(units) and O(binaries) is needed.
    type: list
    elements: int
  units:
    description:
      - Systemd units. Of one that runs, its main process and the other Go programs in its cgroup are shown. One that does not run is shown as it would
        run, by its properties and those of its slices.
    type: list
    elements: str
  binaries:
    description:
      - Programs that are not to be looked for among those that run. They are shown as if started with no limit.
    type: list
    elements: path
  window:
    description:
      - How long the CPU time of running programs is watched, in seconds. All programs are watched at the same time. V(0) is not at all.
      - C(cpu_quota) is proposed only from what was seen in a window.
    type: float
    default: 0.0
  memory_headroom:
    description:
      - Part of the memory limit that becomes GOMEMLIMIT. The rest is for what the Go runtime does not count, such as its code, C libraries and files in
        memory.
    type: float
    default: 0.9
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: full
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Linux with Python 3.6 or newer, with cgroup v1, v2 or both. Units need systemd.
    platforms: linux
    support: full
notes:
  - Only root may look at the processes of others.
  - A program that calls C(runtime.GOMAXPROCS) or C(debug.SetMemoryLimit) itself is not foreseen, nor is one that SELinux denies C(getsched), which takes
    one CPU.
  - What is told is of a program's start. Since 1.25 a program with no C(GOMAXPROCS) in its environment follows changes of its quota and affinity.
  - A build says nothing of the C(go) line in C(go.mod), only what follows from it. One older than 1.25 has C(containermaxprocs=0) in DefaultGODEBUG.
"""

EXAMPLES = r"""
- name: What does this service see
  gohost.linux.go_runtime_info:
    units: [goapp.service]
    window: 10
  register: seen

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ item.warnings }}"
  loop: "{{ seen.programs }}"
  loop_control:
    label: "{{ item.name }} ({{ item.pid }})"

- name: Which of these programs know their CPU quota
  gohost.linux.go_runtime_info:
    binaries:
      - /opt/goapp/bin/goapp
      - /usr/bin/caddy
"""

RETURN = r"""
host:
  description: What is the same for all programs.
  returned: success
  type: dict
  contains:
    cgroup:
      description: V(v1), V(v2), V(hybrid), or empty where no cgroup is mounted.
      type: str
      sample: v2
    cpus:
      description: CPUs that are online.
      type: str
      sample: 0-3
programs:
  description: In the order in which they were asked for, of a unit the main process first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: As it was asked for.
      type: str
      sample: goapp.service
    unit:
      description: The systemd unit it belongs to, or empty.
      type: str
      sample: goapp.service
    pid:
      description: The process, V(0) where it does not run.
      type: int
      sample: 4711
    executable:
      description: Path of the program.
      type: str
      sample: /opt/goapp/bin/goapp
    cgroup:
      description: Path of its cgroup (v1's of the memory controller), or empty.
      type: str
      sample: /goapp.slice/goapp.service
    go:
      description: How it was built. Null where Go has not built it; then there is no prediction either.
      type: dict
      contains:
        version:
          description: Of the toolchain.
          type: str
          sample: go1.27.4
        path:
          description: Import path of the main package.
          type: str
        module:
          description: Main module.
          type: str
          sample: example.com/goapp
        module_version:
          description: Version of the main module.
          type: str
          sample: v1.2.3
        default_godebug:
          description: GODEBUG settings of the build, which follow from the C(go) line of C(go.mod).
          type: str
        settings:
          description: Other settings of the build, without flags of compilers and linkers, which may hold secrets. Empty before Go 1.18.
          type: dict
          sample: {GOARCH: amd64, CGO_ENABLED: "0"}
    environment:
      description: Variables of the Go runtime that it was started with.
      type: dict
      sample: {GOMAXPROCS: "4"}
    cpus_allowed:
      description: CPUs of its affinity mask that are online.
      type: str
      sample: 0-3
    effective:
      description: What the kernel enforces, the tightest limit of its cgroup and those above it. Null where there is none.
      type: dict
      contains:
        cpus:
          description: CPU time as a number of CPUs.
          type: float
          sample: 1.5
        cpus_by:
          description: The cgroup that sets it. The unit, where it does not run.
          type: str
          sample: /goapp.slice
        memory:
          description: Bytes.
          type: int
        memory_by:
          description: The cgroup that sets it.
          type: str
        memory_high:
          description: Bytes above which it is slowed down.
          type: int
        swap:
          description: Bytes of swap, with v1 of memory and swap together.
          type: int
        tasks:
          description: Processes and threads.
          type: int
        tasks_by:
          description: The cgroup that sets it.
          type: str
        cpuset:
          description: CPUs of the cpuset controller, or empty.
          type: str
    expected_gomaxprocs:
      description: GOMAXPROCS of this program when it starts here, with this environment.
      type: int
      sample: 4
    expected_cause:
      description: V(environment), V(quota) or V(affinity), whichever decides.
      type: str
      sample: affinity
    quota_ignored:
      description:
        - Why it looks at no quota, V(release), V(godebug) of the environment, V(default_godebug) of the build or V(environment) where GOMAXPROCS is set.
          Empty where it does look.
      type: str
    go_visible:
      description: What the program sees, beside RV(programs[].effective).
      type: dict
      contains:
        cpus:
          description: CPU time as a number of CPUs that it reads, or null.
          type: float
        directory:
          description: The directory that it reads its quota from, in its own mount namespace.
          type: str
        memory:
          description: Bytes of GOMEMLIMIT, or null.
          type: int
        gomaxprocs:
          description: GOMAXPROCS that a program built with each release would choose here, with no Go variables in its environment.
          type: dict
          sample: {"1.24": 4, "1.25": 2, "1.26": 2, "1.27": 2}
    suggested_environment:
      description:
        - Variables that tell the runtime what it cannot know. C(GOMAXPROCS) only where the runtime would not choose the same, so that it goes on to follow
          changes. C(GOMEMLIMIT) only where there is a memory limit that is not shared with others.
      type: dict
      sample: {GOMAXPROCS: "2", GOMEMLIMIT: 460MiB}
    used:
      description: What it has used. Null where it does not run. Figures that this kernel does not keep are null.
      type: dict
      contains:
        cpu_of:
          description: Whose CPU time it is, V(cgroup), or V(process) where it has no cgroup of its own.
          type: str
        memory_of:
          description: The same of memory.
          type: str
        cpu_seconds:
          description: CPU time in all.
          type: float
        cpus:
          description: CPUs on average over O(window).
          type: float
        cpus_busiest:
          description: CPUs in the busiest twentieth of O(window), which is at least 0.1 s.
          type: float
        memory:
          description: Bytes now. A cgroup's contain files in memory.
          type: int
        memory_peak:
          description: Bytes at most. Where the kernel does not keep them, what was seen.
          type: int
        tasks:
          description: Processes and threads now.
          type: int
        tasks_peak:
          description: Processes and threads at most.
          type: int
        resident:
          description: Bytes of the process itself.
          type: int
        resident_peak:
          description: Bytes of the process itself at most.
          type: int
        throttling:
          description: Of each cgroup with a quota, the innermost first.
          type: list
          elements: dict
          contains:
            cgroup:
              description: Its path.
              type: str
            periods:
              description: Periods in which it ran.
              type: int
            throttled:
              description: Periods in which it was stopped for want of quota.
              type: int
            seconds:
              description: How long it was stopped.
              type: float
        memory_events:
          description: The kernel's C(memory.events), with v1 C(max) and C(oom_kill).
          type: dict
          sample: {high: 0, max: 12, oom: 1, oom_kill: 1}
        pressure:
          description: Per resource the part of the time in which something (C(some)) or everything (C(full)) waited for it, in percent.
          type: dict
          sample: {cpu: {some_avg10: 1.5, some_avg60: 0.8, some_avg300: 0.2}}
        pressure_of:
          description: V(cgroup), or V(host) where the kernel keeps none for it.
          type: str
    proposed:
      description:
        - Limits that would have been enough, a quarter above what was used, rounded up. Only what was measured. C(memory_max) from the peak unless it has
          run into its limit, C(cpu_quota) in CPUs from the busiest part of O(window) unless it was throttled, C(tasks_max) twice the peak.
      type: dict
      sample: {memory_max: 384MiB, cpu_quota: 1.25, tasks_max: 64}
    warnings:
      description: What should be looked into, a sentence each.
      type: list
      elements: str
      sample: ["Go takes 4 CPUs, the kernel gives 1.5 (/goapp.slice): it reads the quota of its own cgroup only, not of those above. Set GOMAXPROCS=2."]
"""

from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
from ansible_collections.gohost.linux.plugins.module_utils.cgroups import advise
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Observed, Pressure, Used
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.observe import Machine, binary, process, unit_programs, units
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.parse import cpu_text, printable
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.predict import memory_limit
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.rows import effective
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.usage import measure
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import explained

ARGUMENT_SPEC: Dict[str, Any] = dict(
    pids=dict(type="list", elements="int"),
    units=dict(type="list", elements="str"),
    binaries=dict(type="list", elements="path"),
    window=dict(type="float", default=0.0),
    memory_headroom=dict(type="float", default=0.9),
)


def _go(seen: Observed) -> Optional[Dict[str, Any]]:
    build = seen.build
    if build is None:
        return None
    module, version = (build.main.path, build.main.version) if build.main is not None else ("", "")
    return dict(
        version=build.version, path=build.path, module=module, module_version=version, default_godebug=build.setting("DefaultGODEBUG"), settings=build.shown
    )


def _pressure(pressure: Pressure) -> Dict[str, float]:
    kinds = dict(some=pressure.some, full=pressure.full)
    return {f"{kind}_avg{span}": values[index] for kind, values in kinds.items() if values for index, span in enumerate((10, 60, 300))}


def _used(used: Optional[Used]) -> Optional[Dict[str, Any]]:
    if used is None:
        return None
    row: Dict[str, Any] = {
        name: getattr(used, name) for name in ("cpu_of", "memory_of", "memory", "tasks", "tasks_peak", "resident", "resident_peak", "pressure_of")
    }
    cpus, busiest = (None if each is None else round(each, 3) for each in (used.cpus, used.busiest))
    stops = [dict(cgroup=node.path, periods=each.periods, throttled=each.throttled, seconds=each.microseconds / 1e6) for node, each in used.throttling]
    row.update(cpu_seconds=None if used.cpu is None else used.cpu / 1e6, cpus=cpus, cpus_busiest=busiest, memory_peak=used.peak)
    return dict(row, throttling=stops, memory_events=dict(used.events), pressure={name: _pressure(each) for name, each in used.pressures.items()})


def _row(seen: Observed, used: Optional[Used], headroom: float) -> Dict[str, Any]:
    expected = seen.prediction
    limit = memory_limit(seen.environment.get("GOMEMLIMIT", "")) if seen.environment.get("GOMEMLIMIT", "off") not in ("", "off") else None
    visible = dict(cpus=expected.quota if expected else None, directory=expected.directory if expected else "", memory=limit, gomaxprocs=dict(seen.releases))
    row = dict(
        name=seen.name,
        unit=seen.unit,
        pid=seen.pid,
        executable=seen.executable,
        cgroup=seen.node.path if seen.node is not None else "",
        go=_go(seen),
        environment=dict(seen.environment),
        cpus_allowed=cpu_text(seen.cpus),
        effective=effective(seen.effective),
        expected_gomaxprocs=expected.value if expected else None,
        expected_cause=expected.cause if expected else "",
        quota_ignored=expected.off if expected else "",
        go_visible=visible,
        suggested_environment=advise.environment(seen, headroom),
        used=_used(used),
        proposed=advise.proposed(seen, used),
        warnings=advise.warnings(seen, used, headroom),
    )
    cleaned: Dict[str, Any] = printable(row)
    return cleaned


def run(module: AnsibleModule) -> Dict[str, Any]:
    options = module.params
    if not 0 < options["memory_headroom"] <= 1:
        raise GoHostError("memory_headroom is no part of the limit", options["memory_headroom"], "Give a number above 0, at most 1.")
    if not 0 <= options["window"] <= 3600:
        raise GoHostError("window is no time to watch", options["window"], "Give seconds, at most 3600.")
    machine = Machine(AnsibleHost(module))
    seen: List[Observed] = [process(machine, pid) for pid in options["pids"] or ()]
    seen += [each for unit in units(machine, options["units"] or ()) for each in unit_programs(machine, unit)]
    seen += [binary(machine, path) for path in options["binaries"] or ()]
    used = measure(machine, seen, options["window"])
    rows = [_row(each, its, options["memory_headroom"]) for each, its in zip(seen, used)]
    return dict(changed=False, host=dict(cgroup=machine.version, cpus=cpu_text(machine.online)), programs=rows)


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True, required_one_of=[("pids", "units", "binaries")])
    try:
        result = run(module)
    except GoHostError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=str(explained(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
