# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two filters, by themselves and through Ansible's own templating."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.gohost.linux.plugins.filter.selinux_go_policy import FilterModule as PolicyFilters
from ansible_collections.gohost.linux.plugins.filter.selinux_go_wishes import FilterModule as WishesFilters
from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy

ROOT = Path(__file__).resolve().parents[3]
SHOP = {"name": "shop", "executable": "/opt/shop/bin/server", "listens": [8443, "http_port_t"]}
selinux_go_policy = PolicyFilters().filters()["selinux_go_policy"]
selinux_go_wishes = WishesFilters().filters()["selinux_go_wishes"]


def test_policy() -> None:
    text = selinux_go_policy(SHOP)
    assert text == policy.cil(policy.service(SHOP)) == selinux_go_policy({**SHOP, "state": "absent"})
    assert "(type shop_t)" in text


def test_wishes() -> None:
    old = {"name": "old", "executable": "/opt/old/bin/old", "connects": ["5000-5010"], "state": "absent"}
    assert selinux_go_wishes([SHOP, old]) == {
        "modules": [{"name": "gohost_shop", "state": "present", "cil": selinux_go_policy(SHOP)}, {"name": "gohost_old", "state": "absent"}],
        "ports": [
            {"proto": "tcp", "port": "8443", "setype": "shop_port_t", "state": "present"},
            {"proto": "tcp", "port": "5000-5010", "setype": "old_peer_port_t", "state": "absent"},
        ],
    }
    assert selinux_go_wishes([]) == {"modules": [], "ports": []}


@pytest.mark.parametrize(
    ("wished", "given", "message"),
    [
        (selinux_go_policy, "shop", "selinux_go_policy: not the description of a service: 'shop'"),
        (selinux_go_policy, {"name": "shop"}, "selinux_go_policy: a service needs its executable"),
        (selinux_go_wishes, SHOP, "selinux_go_wishes: not a list of services"),
        (selinux_go_wishes, ["shop"], "selinux_go_wishes: not a list of services"),
        (selinux_go_wishes, [{**SHOP, "state": "gone"}], "selinux_go_wishes: state of a service is neither present nor absent: gone"),
        (selinux_go_wishes, [{**SHOP, "port": 1}], "selinux_go_wishes: a service has no such key: port"),
    ],
)
def test_refused(wished: Any, given: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        wished(given)


def test_documentation_names_every_key() -> None:
    documented = yaml.safe_load((ROOT / "plugins/filter/selinux_go_policy.yml").read_text())["DOCUMENTATION"]["options"]["_input"]["suboptions"]
    defaults = policy.Service._field_defaults
    assert list(documented) == list(policy.Service._fields)
    for name, option in documented.items():
        assert option.get("required", False) == (name not in defaults)
        if name in defaults:
            assert option["default"] == (list(defaults[name]) if isinstance(defaults[name], tuple) else defaults[name]), name


def test_through_ansible(tmp_path: Path) -> None:
    (tmp_path / "ansible_collections/gohost").mkdir(parents=True)
    (tmp_path / "ansible_collections/gohost/linux").symlink_to(ROOT)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
    environ.update(ANSIBLE_COLLECTIONS_PATH=str(tmp_path), HOME=str(tmp_path))
    answer, playbook = tmp_path / "answer.json", tmp_path / "playbook.json"
    both = "{{ [shop | gohost.linux.selinux_go_policy, [shop] | gohost.linux.selinux_go_wishes] | to_json }}"
    task = {"ansible.builtin.copy": {"content": both, "dest": str(answer), "mode": "0600"}, "vars": {"shop": SHOP}}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run([str(program), str(playbook)], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(answer.read_text()) == [selinux_go_policy(SHOP), selinux_go_wishes([SHOP])]
