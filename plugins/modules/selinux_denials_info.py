#!/usr/bin/python
# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: selinux_denials_info
short_description: Explain what SELinux denied, and propose a cure
version_added: 0.1.0
author:
  - The gohost.linux authors (@gohost)
description:
  - Reads the audit log and the journal, puts equal denials together, explains each in a sentence, and proposes one cure for it.
  - A cure is looked for in the order in which a careful person would. A wrong label gets its right one, a port gets a port type that the domain may
    use, a boolean of the policy is switched, a capability or NoNewPrivileges is changed in the unit, and only then a rule is proposed, one for each denial.
  - What is proposed is tried on the policy in force. A denial that this policy would allow by now is reported as cured.
  - A rule always has RV(denials[].proposal.review) set. For what looks like an attack, such as reading C(shadow_t), changing SELinux or tracing other
    processes, no rule is proposed at all.
  - Changes nothing. On a host without SELinux it returns nothing, unless O(log) names a file.
options:
  since:
    description:
      - From when on denials count. V(boot), a duration such as V(90), V(30m), V(2h) or V(7d), or a moment such as V(2026-11-21 10:00:00), which is
        local time of the host unless it ends in V(Z) or an offset.
    type: str
    default: boot
  scope:
    description:
      - V(go) takes, where neither O(paths) nor O(domains) nor O(commands) is given, programs and files below C(/opt), C(/srv), C(/usr/local), C(/home),
        C(/root) and C(/var/lib), where Go programs are installed, and denials whose program the log does not name.
      - The programs are not looked into. One that a package installed as C(/usr/bin/caddy) is asked for by O(commands) or O(domains).
      - V(all) takes everything.
    type: str
    choices: [go, all]
    default: go
  paths:
    description:
      - Only denials of programs, or on files, at or below these paths.
      - Where the log has only name and inode of a file, it is also searched below these.
    type: list
    elements: path
    default: []
  domains:
    description:
      - Only denials of these domains. Wildcards as in V(goapp*_t).
    type: list
    elements: str
    default: []
  commands:
    description:
      - Only denials of programs of these names, as the kernel knows them (15 characters) or as their files are called. Wildcards as in V(goapp*).
    type: list
    elements: str
    default: []
  source:
    description:
      - Which log is read. V(auto) takes the audit log with what was rotated away, and the journal, or the kernel's buffer where there is no journal.
    type: str
    choices: [auto, audit, journal, kernel]
    default: auto
  log:
    description:
      - A file to read instead, as auditd or the kernel's log wrote it. Of another host's log the explanations are right, but cures are tried on this host.
    type: path
  limit:
    description:
      - At most this many different denials, the latest first.
    type: int
    default: 100
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
    description: Linux with Python 3.6 or newer. Booleans are found by the distribution's Python bindings of libselinux, without them only some well-known ones.
    platforms: linux
    support: full
notes:
  - Only root may read the audit log.
  - A domain that is enforced stops at its first denial. Make it permissive for a while to see all of them at once.
seealso:
  - module: gohost.linux.selinux_go_context
"""

EXAMPLES = r"""
- name: What was denied to Go programs since boot
  gohost.linux.selinux_denials_info:
  register: denied

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.explanation }} {{ item.proposal.why }}"
  loop: "{{ denied.denials }}"
  loop_control:
    label: "{{ item.last }}"

- name: Apply what needs no second look, one cure after the other
  gohost.linux.selinux_go_context: "{{ item.proposal.arguments }}"
  loop: "{{ denied.denials | selectattr('proposal.arguments') | rejectattr('proposal.review') }}"
  loop_control:
    label: "{{ item.explanation }}"

- name: Everything about one service of the last two hours
  gohost.linux.selinux_denials_info:
    since: 2h
    domains: [goapp_t]
"""

RETURN = r"""
mode:
  description: V(enforcing), V(permissive) or V(disabled).
  returned: success
  type: str
  sample: enforcing
dontaudit:
  description: Whether the policy's dontaudit rules are in force, which keep refusals out of the log. Null where the store does not say.
  returned: success
  type: bool
sources:
  description: The logs that were read.
  returned: success
  type: list
  elements: str
  sample: [/var/log/audit/audit.log, journal]
left_out:
  description: Different denials that were found but not returned because of filters, O(scope) or O(limit).
  returned: success
  type: int
denials:
  description: What was denied, the latest first.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description:
        - V(avc) of the kernel, V(user_avc) of systemd or D-Bus, V(selinux_err), V(seccomp), or V(hidden) for a call that ended with EACCES and no denial.
      type: str
      sample: avc
    count:
      description: How often.
      type: int
    first:
      description: When first, in UTC.
      type: str
      sample: "2026-11-21T10:15:00.123Z"
    last:
      description: When last, in UTC.
      type: str
    explanation:
      description: One sentence.
      type: str
      sample: /opt/goapp/bin/goapp (goapp_t) was denied name_bind on tcp port 8081, which is transproxy_port_t.
    proposal:
      description: The cure.
      type: dict
      contains:
        kind:
          description: V(fcontext), V(port), V(boolean), V(unit), V(cil) or V(none).
          type: str
          sample: port
        why:
          description: Why this, or why nothing.
          type: str
        review:
          description: Whether a person must look at it before it is applied.
          type: bool
        arguments:
          description: Options for M(gohost.linux.selinux_go_context). Empty where the cure is another.
          type: dict
          sample: {ports: [{port: "8081", proto: tcp, setype: http_port_t}]}
        dropin:
          description: Text of a drop-in for the unit. Empty where the cure is another.
          type: str
        dropin_path:
          description: Where the drop-in goes. Empty where no unit names the program, or several do.
          type: str
        alternative:
          description: Options for M(gohost.linux.selinux_go_context) that are another cure, where the choice is a person's.
          type: dict
    source:
      description: Context of the process.
      type: str
      sample: system_u:system_r:goapp_t:s0
    target:
      description: Context of what it was about.
      type: str
    tclass:
      description: Class of what it was about.
      type: str
      sample: tcp_socket
    permissions:
      description: What was asked for.
      type: list
      elements: str
      sample: [name_bind]
    granted:
      description: Whether it was allowed, and only logged by an auditallow rule.
      type: bool
    permissive:
      description: Whether it happened all the same, because the domain or the host is permissive.
      type: bool
    command:
      description: The process's name.
      type: str
    executable:
      description: The process's program, where the log says it.
      type: str
    units:
      description: The systemd units whose commands name the program.
      type: list
      elements: str
      sample: [goapp.service]
    path:
      description: The file it was about, where the log says it or it was found by its inode.
      type: str
    port:
      description: The port it was about, or 0.
      type: int
    protocol:
      description: Protocol of the port.
      type: str
    syscall:
      description: Name or number of the system call, where the log says it.
      type: str
    evidence:
      description: The last such line of the log.
      type: str
"""

import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import explained
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.explain import explain
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Group, grouped
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.observe import Units, Wish, read, with_paths
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.parse import printable, since
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.propose import dropin_path, propose
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.security_server import LocalSecurityServer

ARGUMENT_SPEC: Dict[str, Any] = dict(
    since=dict(type="str", default="boot"),
    scope=dict(type="str", choices=["go", "all"], default="go"),
    paths=dict(type="list", elements="path", default=[]),
    domains=dict(type="list", elements="str", default=[]),
    commands=dict(type="list", elements="str", default=[]),
    source=dict(type="str", choices=["auto", "audit", "journal", "kernel"], default="auto"),
    log=dict(type="path"),
    limit=dict(type="int", default=100),
)
_PYTHONS = ["/usr/libexec/platform-python", "/usr/bin/python3"]


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{round(seconds * 1000) % 1000:03d}Z"


def _row(group: Group, server: LocalSecurityServer, units: Units) -> Dict[str, Any]:
    denial = group.denial
    proposal, starters = propose(denial, server), units.of(denial)
    row: Dict[str, Any] = {name: printable(value) if isinstance(value, str) else value for name, value in denial._asdict().items()}
    for name in ("time", "pid", "name", "inode", "operation", "detail"):
        del row[name]
    cure = dict(proposal._asdict(), dropin_path=dropin_path(starters[0], proposal.dropin) if len(starters) == 1 and proposal.dropin else "")
    times = dict(count=group.times, first=_moment(group.first), last=_moment(group.last))
    return dict(row, permissions=list(denial.permissions), units=starters, explanation=explain(denial), proposal=cure, **times)


def run(module: AnsibleModule) -> Dict[str, Any]:
    options = module.params
    host, server = AnsibleHost(module), LocalSecurityServer()
    boot = time.time() - float(host.read("/proc/uptime").split()[0])
    filters = {name: tuple(options[name]) for name in ("paths", "domains", "commands")}
    wish = Wish(since(options["since"], time.time(), boot), go=options["scope"] == "go", **filters)
    mode = server.mode()
    if mode == "disabled" and not options["log"]:
        return dict(changed=False, mode=mode, dontaudit=None, sources=[], left_out=0, denials=[])
    if mode != "disabled" and not server.reasons() and not has_respawned():
        python = probe_interpreters_for_module(_PYTHONS, "selinux.audit2why")
        if python:
            respawn_module(python)
    denials, sources = read(host, options["source"], options["log"], wish.since)
    groups = with_paths(grouped(denials), server, wish.paths)
    chosen = [group for group in groups if wish.holds(group.denial)][: max(options["limit"], 0)]
    units = Units(host)
    rows = [_row(group, server, units) for group in chosen]
    return dict(changed=False, mode=mode, dontaudit=server.silent(), sources=sources, left_out=len(groups) - len(chosen), denials=rows)


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
