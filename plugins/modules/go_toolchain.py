#!/usr/bin/python
# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: go_toolchain
short_description: Install verified Go releases side by side
version_added: 0.1.0
author:
  - The gohost.linux authors (@gohost)
description:
  - Installs, switches, verifies and removes releases of Go under one directory, each in a directory of its own.
  - Every archive is checked before anything of it can be seen; what has no digest that somebody vouches for is not installed.
  - Switching is one atomic rename, so C(go) works at every moment. A run that was killed is cleaned up and finished by the next one.
  - The controller decides what is the same for all hosts - exact versions, digests, the checksum database's word - and the host about itself.
    So a host needs no index and, with O(fetch_on=controller), no way out.
options:
  versions:
    description:
      - The releases to have, or with O(state=absent) not to have.
      - Each is exact (V(1.27.3)), a line (V(1.26), the newest known release of it), V(stable) or V(oldstable).
      - Lines resolve by the index that comes with the collection, so that a fleet gets the same today and tomorrow; see O(check_latest).
      - With O(state=absent) a line stands for all its installed releases.
    type: list
    elements: str
    default: []
  default:
    description:
      - The one of O(versions) that C(go) shall be.
      - A single version is it by itself. With several and none named here, what is the default stays; on a host without one that is an error.
    type: str
  state:
    description:
      - Whether the O(versions) are to be there.
      - The last version takes the store's links and state with it, and what was moved aside comes back.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Remove versions that are neither in O(versions) nor in O(keep).
      - Refused, as O(state=absent) is, for the default while others remain, and for a version whose programs run now or that a systemd unit names.
    type: bool
    default: false
  keep:
    description:
      - Exact versions that are never removed. O(exclusive) leaves them, O(state=absent) refuses them.
    type: list
    elements: str
    default: []
  root:
    description:
      - The directory of the store, absolute. V(/opt/go) gives C(/opt/go/1.27.3) and the link C(/opt/go/current).
      - A user who is not root names a directory of their own.
    type: path
    default: /opt/go
  links:
    description:
      - Directory where C(go), C(gofmt) and, for each version, a name such as C(go1.27.3) are linked.
      - The go command finds the latter by itself when GOTOOLCHAIN allows C(path), and then needs no download.
      - An empty string makes none.
    type: path
    default: /usr/local/bin
  links_force:
    description:
      - Move aside what stands in the place of a link and is not ours. It comes back when the link goes.
    type: bool
    default: false
  compat_link:
    description:
      - One more link to the default's tree, such as C(/usr/local/go), for what expects Go there.
    type: path
  arch:
    description:
      - Architecture of the releases, as in the names of Go's downloads. The host's own when not given; V(armv6l) serves ARMv6 and ARMv7.
    type: str
    choices: ['386', amd64, arm64, armv6l, loong64, ppc64le, riscv64, s390x]
  sources:
    description:
      - Where archives come from, tried in turn.
      - Not given, that is go.dev, then the module proxy that the controller knows by GOPROXY or C(go env GOPROXY), if any.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(official) is go.dev/dl. V(mirror) is a URL with the same file names.
          - V(file) is a directory on the machine that O(fetch_on) names, with official archives, module zips or a tree as a module proxy serves it.
          - V(goproxy) is a module proxy, which has releases as the module golang.org/toolchain.
        type: str
        choices: [official, mirror, file, goproxy]
        required: true
      url:
        description:
          - Base URL of a V(mirror). For V(goproxy) a list as in GOPROXY, which it replaces.
        type: str
      path:
        description: Directory of a V(file) source.
        type: path
      username:
        description: User name for this source. Without it netrc is asked.
        type: str
      password:
        description: Password for this source.
        type: str
  fetch_on:
    description:
      - Which machine fetches archives.
      - With V(controller) each is fetched once into a cache there, verified, and pushed to every host.
    type: str
    choices: [target, controller]
    default: target
  checksums:
    description:
      - 'Digests that you vouch for, per version and architecture: C({"1.27.3": {"amd64": ["sha256:…", "h1:…"]}}).'
      - A sha256 binds official archives, an h1 module zips; the other kind keeps its own authority.
    type: dict
    default: {}
  check_latest:
    description:
      - Ask the sources which releases there are now, instead of the bundled index alone.
    type: bool
    default: false
  allow_eol:
    description:
      - Do not warn about a release that is no longer supported.
    type: bool
    default: false
  verify:
    description:
      - How installed O(versions) are checked. V(quick) compares VERSION and what lstat says of every file, V(full) hashes all of them.
    type: str
    choices: [quick, full]
    default: quick
  repair:
    description:
      - Install a version anew that is not as it was installed. Otherwise that is an error.
    type: bool
    default: false
  rollback_from:
    description:
      - When this exact version is the default, make the version the default that was it before; else change nothing.
    type: str
  ca_path:
    description:
      - PEM file with certificate authorities to trust besides the system's, on the machine that fetches.
    type: path
  timeout:
    description:
      - Seconds without an answer or a byte until a server is given up.
    type: float
    default: 30
  retries:
    description:
      - Further tries after a passing failure, with growing pauses. A download goes on where it was cut.
    type: int
    default: 4
  lock_timeout:
    description:
      - Seconds to wait for another run on the same O(root).
    type: float
    default: 300
  resolved:
    description:
      - What the controller decided. Set by the action plugin of the same name; not for playbooks.
    type: dict
  passwords:
    description:
      - Passwords of the places in O(resolved), in their order. Set by the action plugin of the same name.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Predicts what a run changes.
    support: full
  diff_mode:
    description: Shows versions, default and links before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  platform:
    description: Linux with Python 3.6 or newer, nothing else.
    platforms: linux
    support: full
notes:
  - Another Go that comes first in some PATH still wins there; RV(others) names those that are usual.
seealso:
  - plugin: gohost.linux.go_release
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: The newest known release, as go for everyone
  gohost.linux.go_toolchain:
    versions: [stable]

- name: Three releases side by side, one of them the default, nothing else
  gohost.linux.go_toolchain:
    versions: ["1.25.14", "1.26", "1.27.3"]
    default: "1.27.3"
    exclusive: true

- name: Hosts without a way out, from an internal mirror that the controller can reach
  gohost.linux.go_toolchain:
    versions: ["1.27.3"]
    fetch_on: controller
    sources:
      - type: mirror
        url: https://mirror.example.com/golang/

- name: What the module asks for
  gohost.linux.go_toolchain:
    versions:
      - "{{ lookup('gohost.linux.go_release', playbook_dir ~ '/go.mod') }}"

- name: Back to what was the default before 1.27.3
  gohost.linux.go_toolchain:
    rollback_from: "1.27.3"

- name: A user's own Go
  gohost.linux.go_toolchain:
    versions: [stable]
    root: "{{ ansible_env.HOME }}/.local/lib/go"
    links: "{{ ansible_env.HOME }}/.local/bin"
"""

RETURN = r"""
root:
  description: The store's directory.
  returned: success
  type: str
  sample: /opt/go
arch:
  description: Architecture of the releases.
  returned: success
  type: str
  sample: amd64
default_before:
  description: The default as the task found it, empty when there was none.
  returned: success
  type: str
  sample: 1.26.11
default_after:
  description: The default now; in check mode, as a run would leave it.
  returned: success
  type: str
  sample: 1.27.4
versions:
  description: The versions asked for, in check mode those missing too.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The exact version.
      type: str
      sample: 1.27.4
    path:
      description: Its tree, the GOROOT.
      type: str
      sample: /opt/go/1.27.4
    digest:
      description: Digest of the archive it came from.
      type: str
      sample: h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI=
    authority:
      description: Who vouches for that digest - V(user), V(bundled index), V(official JSON), V(checksum database) or V(bundled h1).
      type: str
      sample: checksum database
    source:
      description: Type of the source it came from.
      type: str
      sample: goproxy
    origin:
      description: URL without credentials, or path, of the archive.
      type: str
    installed:
      description: Whether this task installed it, or in check mode would.
      type: bool
    bytes:
      description: Bytes that this host fetched for it.
      type: int
    seconds:
      description: Seconds from the first byte asked for to the verified tree.
      type: float
    refused:
      description: Sources that were tried before, and why they would not do.
      type: list
      elements: str
    lifecycle:
      description: RV(versions[].lifecycle.supported) says whether it gets fixes, RV(versions[].lifecycle.eol) since when not, or until when if that is known.
      type: dict
      contains:
        line:
          description: The release line.
          type: str
          sample: "1.27"
        supported:
          description: Whether it is supported today.
          type: bool
        eol:
          description: Day on which support ended, if it did.
          type: str
removed:
  description: Versions that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
links:
  description: All links of the store, path to target.
  returned: success
  type: dict
  sample: {/usr/local/bin/go: /opt/go/current/bin/go}
others:
  description: Other Go installations on the host, which are not touched.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Its directory.
      type: str
      sample: /usr/local/go
    kind:
      description: V(manual), V(package), V(snap) or V(sdk), by the place where it is.
      type: str
      sample: manual
    version:
      description: The release it says it is.
      type: str
      sample: 1.26.8
missing:
  description: In check mode, the versions whose archives a run would fetch.
  returned: success
  type: list
  elements: str
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gohost.linux.plugins.module_utils.ansible_host import AnsibleHost
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import explained
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate, HttpSettings, Layout, Wanted
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.options import ARGUMENT_SPEC, RULES, wanted


def _result(wish: Wanted, outcome: Outcome) -> Dict[str, Any]:
    decision, seen = outcome.decision, outcome.after
    versions: List[Dict[str, Any]] = []
    for version in () if wish.absent else wish.versions:
        tree = seen.trees.get(version)
        origin = tree.manifest.provenance if tree is not None and tree.manifest is not None else None
        took = outcome.installed.get(version)
        versions.append(
            dict(
                version=version,
                path=Layout(wish.root).tree(version),
                digest=origin.digest if origin else None,
                authority=origin.authority if origin else None,
                source=origin.source if origin else None,
                origin=origin.origin if origin else None,
                installed=version in decision.archives,
                bytes=took.bytes if took else 0,
                seconds=round(took.seconds, 3) if took else 0.0,
                refused=list(took.refused) if took else [],
            )
        )
    return dict(
        changed=decision.plan.changed,
        diff=decision.plan.diff(),
        root=wish.root,
        arch=seen.arch,
        default_before=outcome.before.default,
        default_after=decision.default,
        versions=versions,
        removed=[step.argument for step in decision.plan.of("remove")],
        links={path: standing.what for path, standing in seen.links.items() if standing.what and not standing.owner},
        others=[other._asdict() for other in seen.others],
        missing=[] if outcome.done else decision.archives,
    )


def run(module: AnsibleModule) -> Dict[str, Any]:
    options = module.params
    wish = wanted(options)
    candidates: Dict[str, List[Candidate]] = {}
    for entry, password in zip(options["resolved"].get("candidates", ()), options["passwords"]):
        fields: Dict[str, Any] = dict(entry, password=password)
        candidates.setdefault(fields.pop("version"), []).append(Candidate(**fields))
    settings = HttpSettings(timeout=options["timeout"], retries=options["retries"], ca_path=options["ca_path"])
    outcome = converge(AnsibleHost(module), wish, candidates, settings, options["lock_timeout"], module.check_mode)
    for warning in outcome.decision.warnings:
        module.warn(warning)
    result = _result(wish, outcome)
    if result["missing"] and not module.check_mode:
        result["changed"] = False  # the controller finds the archives and calls again
    return result


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True, **RULES)
    try:
        result = run(module)
    except GoHostError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=str(explained(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
