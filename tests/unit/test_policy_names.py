# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/make_policy_names.py: the names beside the generator's tests are what its inputs say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import make_policy_names as tool

ROOT = Path(__file__).resolve().parents[2]


def test_the_names_are_those_of_the_inputs() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/make_policy_names.py"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cut(tmp_path: Path) -> None:
    fedora: dict[str, Any] = {
        "branches": {"9": "c9s", "r": "rawhide"},
        "types": "a_t b_t:9 unused_t",
        "aliases": {"old_t": "a_t", "older_t": "a_t:r"},
        "attributes": "domain:r",
        "roles": {"system_r": "*"},
        "classes": {"file": "open read:9 watch", "process": "fork"},
    }
    debian = {"branches": {"b": "12"}, "types": "a_t old_t", "aliases": {}, "attributes": "domain", "roles": {"system_r": "b"}, "classes": {"file": "open"}}
    for name, content in zip(tool.INPUTS, (fedora, debian), strict=True):
        (tmp_path / name).write_text(json.dumps(content))
    generator = tmp_path / "policy.py"
    generator.write_text('"a_t" "b_t" "old_t" "older_t" "domain" "system_r" "file" "open read" nowhere_t')
    made = tool.build(tmp_path, generator)
    assert made == {
        "branches": {"9": "c9s", "r": "rawhide", "b": "12"},
        "types": {"a_t": "9rb", "b_t": "9", "old_t": "9rb", "older_t": "r"},
        "attributes": {"domain": "rb"},
        "roles": {"system_r": "9rb"},
        "classes": {"file": {"open": "9rb", "read": "9"}},
    }


def test_taken(tmp_path: Path) -> None:
    for name, types in zip(tool.INPUTS, ("sshd_t sshd_exec_t http_port_t usr_t:9", "my_app_t my_app_exec_t"), strict=True):
        (tmp_path / name).write_text(json.dumps({"types": types, "aliases": {"svirt_lxc_net_t": "x"}, "attributes": "domain cert_type"}))
    assert tool.taken(tmp_path) == ["my_app", "sshd", "usr"]


def test_check_sees_a_difference(tmp_path: Path) -> None:
    names, taken = tmp_path / "names.json", tmp_path / "taken.py"
    files = ["--names", str(names), "--taken", str(taken)]
    assert tool.main([*files, "--check"]) == 1
    assert tool.main(files) == 0 and tool.main([*files, "--check"]) == 0
    for path, old in ((names, "init_t"), (taken, "sshd")):
        text = path.read_text()
        path.write_text(text.replace(old, "x", 1))
        assert tool.main([*files, "--check"]) == 1
        path.write_text(text)
