# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels on a machine with SELinux enforcing: the list is restorecon's own, to the letter, and what it names is set."""

import io
import json
import subprocess
import tarfile
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.runner.workspace import ROOT

pytestmark = [pytest.mark.vm, pytest.mark.once, pytest.mark.long]
_DIRECTORY = "/root/gotest-restore"


@pytest.fixture(scope="module")
def found(guest: Host) -> Any:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(ROOT / "plugins/module_utils", "ansible_collections/gohost/linux/plugins/module_utils")
        archive.add(ROOT / "tests/integration/restore/in_guest.py", "in_guest.py")
    subprocess.run(guest.ssh(f"mkdir -p {_DIRECTORY} && tar -C {_DIRECTORY} -x"), input=packed.getvalue(), check=True)
    done = guest.run(f"cd {_DIRECTORY} && PYTHONPATH=. python3 in_guest.py; status=$?; rm -r {_DIRECTORY}; exit $status", timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("how", "least"), [("type", 150), ("force", 150)])
def test_the_list_is_restorecon_s_and_is_what_is_set(found: Any, how: str, least: int) -> None:
    assert found[how]["ours"] == found[how]["restorecon"]
    assert len(found[how]["ours"]) >= least
    assert found[how]["left"] == found[how]["again"] == []


def test_other_file_systems_are_entered_by_name_only(found: Any) -> None:
    above, named = found["mount"]["above"], found["mount"]["named"]
    assert "/srv/gotest-restore" in above
    assert not [path for path in above if path.startswith("/srv/gotest-restore/mounted")]
    assert "/srv/gotest-restore/mounted/x" in named


def test_an_alternate_root_beside_an_enforcing_system(found: Any) -> None:
    assert found["image"]["label"].split(":")[2] == "bin_t"
    assert found["image"]["left"] == []


def test_a_label_that_the_kernel_refuses(found: Any) -> None:
    assert found["refused"].startswith("1 of 1 labels could not be set, the first to system_u:object_r:no_such_t:s0 (Invalid argument): /srv/gotest-restore.")
    assert found["refused"].endswith("The loaded policy does not know this context.")


def test_no_other_attribute_is_written(found: Any) -> None:
    assert found["digests"] == ""
