# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selinux_denials_info on this machine, over a log that another one wrote. What it says of a live host is test_selinux_denials_info.py's."""

import os
from pathlib import Path

import pytest

from tests.integration.playbook import Play
from tests.runner.workspace import ROOT

INFO = "gohost.linux.selinux_denials_info"
LOG = str(ROOT / "tests/unit/module_utils/selinux/denials/captured_audit.txt")


def test_a_log_of_another_host(tmp_path: Path) -> None:
    tasks = Play(tmp_path)
    for name, check in (("run", False), ("check", True)):
        tasks.task(name, INFO, keywords={"check_mode": check}, log=LOG, since="2026-01-01")
    tasks.task("later", INFO, log=LOG, since="2100-01-01T00:00:00Z")
    tasks.task("filtered", INFO, log=LOG, since="2026-01-01", domains=["httpd_t"], commands=["we?"], limit=5)
    tasks.task("bad time", INFO, log=LOG, since="yesterday")
    tasks.task("no log", INFO, log=str(tmp_path / "none"))
    run = tasks.run()
    result = run["run"].ok().result
    assert not result["changed"] and result == run["check"].ok().result
    assert (len(result["denials"]), result["left_out"], result["sources"]) == (16, 0, [LOG])
    for row in result["denials"]:
        assert row["explanation"].endswith(".") and row["proposal"]["why"] and row["count"] == 1 and row["first"] == row["last"]
        assert row["last"].startswith("2026-11-21T") and row["last"].endswith("Z")
    (shadow,) = (row for row in result["denials"] if row["target"].split(":")[2:3] == ["shadow_t"])
    assert (shadow["proposal"]["kind"], shadow["proposal"]["review"], shadow["proposal"]["arguments"]) == ("none", True, {})
    assert run["later"].ok().result["denials"] == []
    filtered = run["filtered"].ok().result
    assert [row["executable"] for row in filtered["denials"]] == ["/opt/denied/bin/web"] and filtered["left_out"] == 15
    assert run["bad time"].failed and run["bad time"].msg.startswith("not a time: yesterday. Write boot")
    assert run["no log"].failed and run["no log"].msg == f"No such file or directory: {tmp_path / 'none'}"


@pytest.mark.skipif(os.path.exists("/sys/fs/selinux/enforce"), reason="SELinux is on here")
def test_a_host_without_selinux(tmp_path: Path) -> None:
    tasks = Play(tmp_path)
    tasks.task("run", INFO)
    result = tasks.run()["run"].ok().result
    assert (result["mode"], result["dontaudit"], result["sources"], result["denials"], result["left_out"]) == ("disabled", None, [], [], 0)
