# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make site`: build the collection, install it, and run its playbook against this machine or an inventory."""

import json
import os
import shutil
import subprocess
import sys

from tests.runner.venvs import SITE
from tests.runner.workspace import BUILD, ROOT, Failed, check, environment

PLAYBOOK = "playbooks/site.yml"
# Fetched once here, whatever the number of hosts, and visibly; at the end each host says which Go it finds.
VARIABLES = {"go_toolchain_fetch_on": "controller", "go_toolchain_report": True}
# Discovery may find a version manager's shim, which runs nothing by itself.
LOCAL = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def _privilege() -> list[str]:
    """Without root, become root where sudo asks no password; else work as the user we are."""
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return []
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
    return ["--become"] if allowed else []


def site(inventory: str | None, arguments: list[str]) -> int:
    """→ ansible-playbook's exit status. Arguments go to it as they are."""
    SITE.make(sys.stdout)
    collections = BUILD / "site/collections"
    shutil.rmtree(BUILD / "site", ignore_errors=True)
    env = environment(SITE.path, ANSIBLE_COLLECTIONS_PATH=str(collections))
    check([SITE.program("ansible-galaxy"), "collection", "build", "--force", "--output-path", BUILD / "site"], sys.stdout, env)
    (archive,) = (BUILD / "site").glob("gohost-linux-*.tar.gz")
    check([SITE.program("ansible-galaxy"), "collection", "install", "--offline", "--force", "-p", collections, archive], sys.stdout, env)
    if not (ROOT / PLAYBOOK).is_file():
        raise Failed(f"{PLAYBOOK} is not there")

    # The caller's own Ansible settings (remote user, ssh arguments …) are theirs to choose here; only the collection is ours.
    env = {**os.environ, "PATH": env["PATH"], "ANSIBLE_COLLECTIONS_PATH": str(collections), "LC_ALL": "C.UTF-8"}
    argv = [str(SITE.program("ansible-playbook")), str(collections / "ansible_collections/gohost/linux" / PLAYBOOK)]
    argv += ["-e", json.dumps(VARIABLES if inventory else {**VARIABLES, **LOCAL})]
    if inventory:
        argv += ["-i", os.path.abspath(inventory) if os.path.exists(inventory) else inventory]
    else:
        # An inventory of its own, not the implicit localhost: so modules run by a Python that is found as on any other host.
        argv += ["-i", "localhost,", "-c", "local", *_privilege()]
        env.setdefault("ANSIBLE_LOCALHOST_WARNING", "false")
    print("$", " ".join([*argv, *arguments]), flush=True)
    return subprocess.run([*argv, *arguments], cwd=ROOT, env=env, check=False).returncode
