# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup: which Go a line, a channel or a project's file means."""

DOCUMENTATION = r"""
name: go_release
short_description: The exact Go release that a line, a channel or a project's file asks for
version_added: 0.1.0
author:
  - the gohost.linux authors (@gohost)
description:
  - Answers with the exact version of Go for a release line such as V(1.26), for V(stable) or V(oldstable), or for what a project's
    C(go.mod), C(go.work), C(.go-version) or C(.tool-versions) asks for.
  - Lines and channels resolve by the index that comes with the collection, so that a fleet gets the same version today and tomorrow.
    With O(check_latest) the sources are asked what is newer.
  - In C(go.mod) and C(go.work) the C(toolchain) line counts, unless the C(go) line asks for something newer.
    A C(go) line that names no patch means the newest patch of that line.
options:
  _terms:
    description:
      - An exact version (V(1.27.3)), a line (V(1.26)), V(stable) (the newest release), V(oldstable) (the newest release of the line
        before), or the path of a file named C(go.mod), C(go.work), C(.go-version) or C(.tool-versions) on the controller.
      - Versions are text. Quote them, because YAML reads C(1.20) as the number 1.2.
      - Relative paths are searched for as the lookup P(ansible.builtin.file#lookup) does.
    type: list
    elements: str
    required: true
  check_latest:
    description:
      - Ask for releases newer than the bundled index, first go.dev, then the proxies in C(GOPROXY) (the environment's, else that of
        C(go env) on the controller).
      - It is an error when none of them answers.
    type: bool
    default: false
  detail:
    description:
      - Answer with a dictionary for each term instead of a string.
    type: bool
    default: false
  ca_path:
    description:
      - PEM file on the controller with further certificate authorities to trust. Only O(check_latest) uses it.
    type: path
seealso:
  - plugin: ansible.builtin.file
    plugin_type: lookup
  - name: Go release history
    description: Every release of Go and what it fixed, and how long a line is supported.
    link: https://go.dev/doc/devel/release
"""

EXAMPLES = r"""
- name: The newest known patch of a line
  ansible.builtin.debug:
    msg: "{{ lookup('gohost.linux.go_release', '1.26') }}"

- name: The Go that a project asks for
  ansible.builtin.debug:
    msg: "{{ lookup('gohost.linux.go_release', playbook_dir ~ '/../app/go.mod') }}"

- name: Fail when the newest stable release is not the bundled index's
  ansible.builtin.assert:
    that: lookup('gohost.linux.go_release', 'stable', check_latest=true) == lookup('gohost.linux.go_release', 'stable')

- name: Until when is it supported?
  ansible.builtin.debug:
    msg: "{{ release.version }} is {{ release.supported | ternary('supported', 'without fixes since ' ~ release.eol) }}"
  vars:
    release: "{{ lookup('gohost.linux.go_release', '1.25', detail=true) }}"
"""

RETURN = r"""
_raw:
  description:
    - The exact version of each term, such as V(1.26.11).
    - With O(detail=true) a dictionary with the keys C(version), C(line) (such as V(1.26)), C(released) (the day the line's first release
      came out, or null), C(supported) (whether the line still gets fixes) and C(eol) (the day its support ended or will end, or
      null while that is not known). Days are in ISO 8601.
  type: list
  elements: raw
"""

import datetime
import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.download import get
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import HttpSettings
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import cache, goproxy, index, official, requirement, resolve, sources
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.model import Index


class LookupModule(LookupBase):
    """One answer for each term."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            known = self._known()
            versions = [resolve.resolve(self._asked(term, variables), known) for term in terms]
            if not self.get_option("detail"):
                return versions
            today = datetime.datetime.now(datetime.timezone.utc).date()
            return [resolve.lifecycle(version, known, today)._asdict() for version in versions]
        except GoHostError as error:
            raise AnsibleError(f"gohost.linux.go_release: {error}") from error

    def _known(self) -> Index:
        if not self.get_option("check_latest"):
            return index.load()
        settings = HttpSettings(ca_path=self.get_option("ca_path"))
        known = goproxy.known(os.environ)
        live = official.Live(lambda url: get(url, settings), cache.default_dir(os.environ))
        urls = sources.proxy_urls(sources.parse(None, known), known)
        return official.check_latest(index.load(), lambda url: get(url, settings), urls, live)

    def _asked(self, term: Any, variables: dict[str, Any] | None) -> Any:
        if not isinstance(term, str) or not requirement.is_file(term):
            return term
        path = os.path.expanduser(term)
        if not os.path.isabs(path):
            path = self.find_file_in_search_path(variables or {}, "files", path, ignore_missing=True) or path
        return requirement.read(path)
