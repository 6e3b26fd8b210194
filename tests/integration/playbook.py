# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of many tasks, run by the real ansible-playbook of this environment, and what each task said and did."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.hosts import cache
from tests.hosts.host import Host
from tests.runner.workspace import ROOT, environment

MODULE = "gohost.linux.go_toolchain"
PASSES = ("check", "apply", "check again", "apply again")


def reached(host: Host) -> dict[str, Any]:
    """Variables by which Ansible reaches a test host, one connection for all tasks where the host has a directory for its socket."""
    shared = f"-F {cache.FILES / 'ssh_config'}"
    if Path(host.id).is_absolute():
        shared += f" -o ControlMaster=auto -o ControlPersist=120 -o ControlPath={Path(host.id) / 'ssh'}"
    return {
        "ansible_connection": "ssh",
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(cache.private_key()),
        "ansible_ssh_args": shared,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


class Done(NamedTuple):
    """One result. touched: paths below the watched directory that are not as before the task, times and inodes included;
    differs: the same, but for the times of directories; shown: upper levels of the directory, path → link target or mode."""

    host: str
    task: str
    failed: bool
    result: dict[str, Any]
    seconds: float
    touched: list[str]
    differs: list[str]
    shown: dict[str, str]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))

    def ok(self) -> "Done":
        assert not self.failed, self.msg
        return self


@dataclasses.dataclass(frozen=True)
class Run:
    rc: int
    output: str
    done: list[Done]
    seconds: float

    def __getitem__(self, task: str) -> Done:
        (found,) = [done for done in self.done if done.task == task]
        return found

    def four(self, name: str, changes: bool = True) -> Done:
        """The first apply of a wish, after proof that its check mode told the truth and that a second run does nothing."""
        check, apply, check_again, apply_again = (self[f"{name}: {each}"].ok() for each in PASSES)
        assert check.touched == [], f"{name}: check mode changed the host"
        assert (check.changed, apply.changed) == (changes, changes), name
        for key in ("diff", "default_before", "default_after", "removed", "arch"):
            assert check.result[key] == apply.result[key], f"{name}: check mode said another {key}"
        assert [entry["installed"] for entry in check.result["versions"]] == [entry["installed"] for entry in apply.result["versions"]], name
        for again in (check_again, apply_again):
            assert not again.changed, f"{name}: {again.result['diff']}"
            assert again.touched == [], f"{again.task} touched {again.touched[:5]}"
            assert again.result["default_before"] == again.result["default_after"] == apply.result["default_after"]
            assert again.result["diff"] == {"before": {}, "after": {}}
        return apply

    def refused(self, name: str) -> str:
        """The error of a wish that must fail, the same in check mode where that can know, with the host as before."""
        for each in PASSES[:2]:
            done = self[f"{name}: {each}"]
            assert done.differs == [], f"{done.task} left {done.differs[:5]}"
        apply = self[f"{name}: apply"]
        assert apply.failed, f"{name} was not refused"
        assert "Traceback" not in json.dumps(apply.result), apply.result
        assert "\n" not in apply.msg and apply.msg
        return apply.msg


class Play:
    """Tasks for one ansible-playbook. `defaults` are go_toolchain's options in every task, set by the collection's action group."""

    def __init__(self, directory: Path, watch: Path | None = None, **defaults: Any) -> None:
        self.directory, self.watch, self.defaults = directory, watch, defaults
        self.tasks: list[dict[str, Any]] = []

    def task(self, name: str, module: str = MODULE, *, keywords: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.tasks.append({"name": name, module: options, "ignore_errors": True, "diff": True, **(keywords or {})})

    def wish(self, name: str, *, keywords: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Checked, applied, checked, applied."""
        for each in PASSES:
            self.task(f"{name}: {each}", keywords={"check_mode": each.startswith("check"), **(keywords or {})}, **options)

    def bad(self, name: str, *, keywords: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Checked and applied; both should fail."""
        for each in PASSES[:2]:
            self.task(f"{name}: {each}", keywords={"check_mode": each.startswith("check"), **(keywords or {})}, **options)

    def sh(self, name: str, script: str, **keywords: Any) -> None:
        self.task(name, "ansible.builtin.command", keywords={"changed_when": False, **keywords}, argv=["sh", "-c", script])

    def raw(self, name: str, script: str) -> None:
        """Without a module, which takes the host a second or two where it is emulated."""
        self.tasks.append({"name": name, "ansible.builtin.raw": script, "changed_when": False, "ignore_errors": True})

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        hosts: Sequence[str] = ("one",),
        play: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
        playbooks: Sequence[str] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> "Started":
        self.directory.mkdir(parents=True, exist_ok=True)
        number = len(list(self.directory.glob("play*.json")))
        path, record = self.directory / f"play{number}.json", self.directory / f"record{number}"
        content = {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {"group/gohost.linux.all": self.defaults},
            "tasks": self.tasks,
            **(play or {}),
        }
        path.write_text(json.dumps([content], indent=1))
        inventory = self.directory / "inventory.json"
        common = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", **(variables or {})}
        inventory.write_text(json.dumps({"all": {"hosts": {host: {} for host in hosts}, "vars": common}}))
        # So that no proxy, credentials or cache of whoever runs the tests plays a part.
        private = {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "GOPROXY": "off",
            "HOME": str(self.directory),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "RECORD_FILE": str(record),
            "RECORD_WATCH": str(self.watch or ""),
        }
        inherited = environment(Path(sys.prefix))
        for name in [name for name in inherited if name.lower().endswith("_proxy") or name == "NETRC"]:
            del inherited[name]
        argv = [*prefix, os.path.join(sys.prefix, "bin/ansible-playbook"), "-i", str(inventory), *arguments, *(playbooks or [str(path)])]
        output = (self.directory / f"output{number}").open("w+")
        process = subprocess.Popen(
            argv, env={**inherited, **private, **(env or {})}, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        return Started(process, output.name, record, time.monotonic())

    def run(self, *arguments: str, **more: Any) -> Run:
        return self.start(*arguments, **more).end()


class Started(NamedTuple):
    process: "subprocess.Popen[bytes]"
    output: str
    record: Path
    began: float

    def end(self, timeout: float = 600) -> Run:
        try:
            self.process.wait(timeout)
        finally:
            self.process.kill()
        output = Path(self.output).read_text(errors="replace")
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        assert lines, output
        return Run(self.process.returncode, output, [Done(**json.loads(line)) for line in lines], time.monotonic() - self.began)
