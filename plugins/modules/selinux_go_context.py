#!/usr/bin/python
# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: selinux_go_context
short_description: All of a host's local SELinux policy in one transaction
version_added: 0.1.0
author:
  - The gohost.linux authors (@gohost)
description:
  - Makes rules for labels, equivalences, ports, booleans, modules in CIL and permissive domains as wished, and then labels the files.
  - All that libsemanage holds is changed in one transaction with one commit. Where nothing differs there is no transaction at all.
  - A commit that fails leaves the host as it was. The message is the compiler's own, with the line of the CIL that it means.
  - A store that a killed commit has left written but not installed, or not loaded, is noticed and finished, whoever ran that commit.
  - Works where SELinux is enforcing, permissive or disabled (records only), and on a tree that is to become another host's file system.
options:
  fcontexts:
    description:
      - Rules for the labels of files.
      - A rule below an equivalence is written as its files are looked up; RV(fcontexts[].written) says so.
    type: list
    elements: dict
    default: []
    suboptions:
      target:
        description: Regular expression that matches a whole path, such as V(/opt/app/bin(/.*\)?), or a plain path.
        type: str
        required: true
      setype:
        description: The files' type. V(<<none>>) leaves them alone. Required unless O(fcontexts[].state=absent).
        type: str
      ftype:
        description:
          - Kind of the files that the rule is for.
          - V(a) all, V(f) regular files, V(d) directories, V(c) character and V(b) block devices, V(s) sockets, V(l) symbolic links, V(p) pipes.
        type: str
        choices: [a, b, c, d, f, l, p, s]
        default: a
      seuser:
        description: Their SELinux user.
        type: str
        default: system_u
      selevel:
        description: Their MLS or MCS level or range. Left out where the policy has none.
        type: str
        default: s0
      state:
        description: Whether there is to be such a local record. What the distribution's policy says itself cannot be removed.
        type: str
        choices: [present, absent]
        default: present
  equivalences:
    description:
      - Trees whose files are labelled as if they were in another one.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The tree to label.
        type: str
        required: true
      source:
        description: The tree whose rules it takes. Required unless O(equivalences[].state=absent).
        type: str
      state:
        description: Whether there is to be such an equivalence.
        type: str
        choices: [present, absent]
        default: present
  ports:
    description:
      - Types of ports. A port that the policy knows already is overridden; the diff says what it was.
    type: list
    elements: dict
    default: []
    suboptions:
      proto:
        description: Protocol.
        type: str
        choices: [tcp, udp, sctp, dccp]
        required: true
      port:
        description: A port or a range such as V(10000-10010).
        type: str
        required: true
      setype:
        description: Its type. Required unless O(ports[].state=absent).
        type: str
      selevel:
        description: Its level. Left out where the policy has none.
        type: str
        default: s0
      state:
        description: Whether there is to be such a local record.
        type: str
        choices: [present, absent]
        default: present
  booleans:
    description:
      - Switches of the policy.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the boolean. An old name that the policy has replaced will do.
        type: str
        required: true
      state:
        description: Whether it is to be on.
        type: bool
        required: true
      persistent:
        description: Keep it as a local record too. Otherwise it is set in the running kernel only.
        type: bool
        default: true
  modules:
    description:
      - Policy modules in CIL.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the module.
        type: str
        required: true
      cil:
        description: Its text.
        type: str
      path:
        description: A file on the host that holds its text, instead of O(modules[].cil).
        type: path
      priority:
        description: Of several modules with one name that with the highest priority counts. The distribution's have 100.
        type: int
        default: 400
      state:
        description: V(disabled) leaves modules of this name where they are, without effect. V(present) enables them.
        type: str
        choices: [present, absent, disabled]
        default: present
  permissive:
    description:
      - Domains whose denials are logged, not enforced.
    type: list
    elements: dict
    default: []
    suboptions:
      domain:
        description: Type of the domain.
        type: str
        required: true
      state:
        description: Whether it is to be permissive.
        type: str
        choices: [present, absent]
        default: present
  restore:
    description:
      - Give files the labels of the policy as it is after this call.
      - Only what is wrong is changed. Other file systems below a path, C(/proc) and C(/sys) are never entered.
    type: dict
    suboptions:
      paths:
        description: Files and directories, with all below them. With O(root), as seen from inside it.
        type: list
        elements: path
        default: []
      changed:
        description: The files for which this call changes a rule, an equivalence or a module's rule, wherever they are.
        type: bool
        default: false
      force:
        description: Restore customizable types, users and levels too.
        type: bool
        default: false
  purge:
    description:
      - Remove local records that the call does not list, within a scope for each kind. Without one nothing is removed.
    type: dict
    suboptions:
      fcontexts:
        description: Rules that match nothing outside a directory, that give a type, or both.
        type: dict
        suboptions:
          prefix:
            description: The directory.
            type: str
          setype:
            description: The type.
            type: str
      equivalences:
        description: Equivalences of trees at or below a directory.
        type: dict
        suboptions:
          prefix:
            description: The directory.
            type: str
            required: true
      ports:
        description: Ports of a type, of a protocol, or both.
        type: dict
        suboptions:
          setype:
            description: The type.
            type: str
          proto:
            description: The protocol.
            type: str
            choices: [tcp, udp, sctp, dccp]
      booleans:
        description: Booleans whose names begin so. The running kernel's stay as they are.
        type: dict
        suboptions:
          prefix:
            description: Beginning of the name.
            type: str
            required: true
      modules:
        description: Modules at priority 400 whose names begin so, but for those of O(permissive).
        type: dict
        suboptions:
          prefix:
            description: Beginning of the name.
            type: str
            required: true
      permissive:
        description: Domains whose names begin so.
        type: dict
        suboptions:
          prefix:
            description: Beginning of the name.
            type: str
            required: true
  store:
    description:
      - Name of the policy store, such as V(targeted). Not given, the one in C(/etc/selinux/config).
    type: str
  root:
    description:
      - Directory with the tree of another system. Its policy is changed and not loaded, its files are labelled by its own rules.
    type: path
    default: /
  reload:
    description:
      - Load the policy into the kernel, if it is the one that runs.
    type: bool
    default: true
  lock_timeout:
    description:
      - Seconds to wait for another process that holds the policy store.
    type: float
    default: 300
attributes:
  check_mode:
    description: Predicts what a run changes, each file to relabel included.
    support: full
  diff_mode:
    description: Shows each record and each file's label before and after.
    support: full
  idempotent:
    description: A second run changes nothing and commits nothing.
    support: full
  platform:
    description: Linux with libsemanage 3.1 or newer and its Python bindings, for whatever interpreter of the host.
    platforms: linux
    support: full
requirements:
  - python3-libsemanage (Fedora, Enterprise Linux, Amazon Linux) or python3-semanage (Debian, Ubuntu, SUSE)
notes:
  - Where a wish needs a store that has lost its active directory, check mode can predict only that it will be put right.
  - A boolean with O(booleans[].persistent) is always a local record, also where the distribution's default is the same today.
"""

EXAMPLES = r"""
- name: An application's files, ports and switch, in one commit
  gohost.linux.selinux_go_context:
    fcontexts:
      - {target: '/srv/app/bin(/.*)?', setype: bin_t}
      - {target: '/srv/app/data(/.*)?', setype: httpd_sys_rw_content_t}
    ports:
      - {proto: tcp, port: "8080", setype: http_port_t}
    booleans:
      - {name: httpd_can_network_connect, state: true}
    restore:
      changed: true

- name: Go trees side by side share the rules of /usr/local/go
  gohost.linux.selinux_go_context:
    equivalences:
      - {path: /opt/golang/1.27.3, source: /usr/local/go}
    restore:
      changed: true

- name: A module, and nothing else of this application's under /srv/app
  gohost.linux.selinux_go_context:
    modules:
      - name: goapp
        cil: "{{ lookup('ansible.builtin.file', 'goapp.cil') }}"
    fcontexts:
      - {target: '/srv/app/bin(/.*)?', setype: bin_t}
    purge:
      fcontexts: {prefix: /srv/app}
      modules: {prefix: goapp}

- name: An image's tree, on a build machine that has no SELinux
  gohost.linux.selinux_go_context:
    root: /srv/image
    fcontexts:
      - {target: '/opt/app(/.*)?', setype: usr_t}
    restore:
      paths: [/]
"""

RETURN = r"""
selinux:
  description: Of the running kernel - V(enforcing), V(permissive) or V(disabled).
  returned: success
  type: str
  sample: enforcing
store:
  description: Name of the policy store.
  returned: success
  type: str
  sample: targeted
changes:
  description: What changed, in check mode what would, by kind as the options are named; V(finish) for a killed commit that was finished.
  returned: success
  type: dict
  sample:
    ports: [{what: port tcp 8080, before: "http_cache_port_t:s0 (policy)", after: "http_port_t:s0"}]
fcontexts:
  description: The rules wished for.
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: As it was wished for.
      type: str
    ftype:
      description: Its kind of files.
      type: str
    written:
      description: As the record has it, with equivalences replaced.
      type: str
    shadowed_by:
      description: A later rule that matches all that this one does, so that this one has no effect; else empty.
      type: str
commit:
  description: Number of the commit; none where nothing had to be committed.
  returned: success
  type: int
seconds:
  description: How long the C(commit), the C(labels) and the C(total) took; empty where nothing was done.
  returned: success
  type: dict
relabelled:
  description: Files whose labels were changed, in check mode those that would be.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    old:
      description: Its context before.
      type: str
    new:
      description: Its context now.
      type: str
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import Host, explained
from ansible_collections.gohost.linux.plugins.module_utils.selinux.apply import Site
from ansible_collections.gohost.linux.plugins.module_utils.selinux.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import LocalLabels
from ansible_collections.gohost.linux.plugins.module_utils.selinux.observe import boolean_names, locate, selinux_state, text
from ansible_collections.gohost.linux.plugins.module_utils.selinux.options import ARGUMENT_SPEC, root_of, wanted
from ansible_collections.gohost.linux.plugins.module_utils.selinux.parse import bindings_package
from ansible_collections.gohost.linux.plugins.module_utils.selinux.store import SemanageStore, bindings

INTERPRETERS = ["/usr/libexec/platform-python", "/usr/bin/python3", "/usr/bin/python"]


def _need_bindings(host: Host) -> None:
    """This process goes on if it has the distribution's bindings; else it is replaced by one that has them, if any."""
    try:
        bindings()
        return
    except ImportError:
        interpreter = None if has_respawned() else probe_interpreters_for_module(INTERPRETERS, "semanage")
    if interpreter:
        respawn_module(interpreter)
    package = bindings_package(text(host, "/etc/os-release"))
    hint = f"Install the package {package}." if package else "Install the distribution's Python bindings to libsemanage."
    raise GoHostError("no Python of this host has the bindings to libsemanage", ", ".join(INTERPRETERS), hint)


def _result(outcome: Outcome) -> Dict[str, Any]:
    changes: Dict[str, List[Dict[str, Any]]] = {}
    for step in outcome.decision.plan.steps:
        changes.setdefault(step.action, []).append(dict(what=step.thing, before=step.before, after=step.after))
    return dict(
        changed=outcome.plan.changed,
        diff=outcome.plan.diff(),
        changes=changes,
        fcontexts=[rule._asdict() for rule in outcome.decision.written],
        commit=outcome.done.commit if outcome.done else None,
        seconds={part: round(value, 3) for part, value in outcome.done.seconds.items()} if outcome.done else {},
        relabelled=[relabel._asdict() for relabel in outcome.relabelled],
    )


def run(module: AnsibleModule) -> Dict[str, Any]:
    options = module.params
    host = AnsibleHost(module)
    _need_bindings(host)
    place = locate(host, root_of(options), options["store"] or "")
    wish = wanted(options, host.read, boolean_names(host, place) if options["booleans"] else {})
    site = Site(host, SemanageStore(place, options["lock_timeout"]), LocalLabels(place.root, place.store), place)
    outcome = converge(site, wish, module.check_mode)
    for warning in outcome.warnings:
        module.warn(warning)
    return dict(_result(outcome), selinux=selinux_state(host), store=place.store)


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
