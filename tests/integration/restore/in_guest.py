# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: labels made wrong on real trees, and what restorecon and LocalLabels say of them. Prints JSON."""

import json
import os
import random
import re
import shutil
import subprocess
from typing import Any

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import LocalLabels, Relabel

TREES = ["/etc/ssl", "/etc/systemd", "/etc/apt", "/usr/lib/python3", "/var/lib/dpkg/info", "/opt", "/srv"]
WRONG = ["system_u:object_r:tmp_t:s0", "staff_u:object_r:etc_t:s0", "system_u:object_r:user_home_t:s0", "unconfined_u:object_r:lib_t:s0:c1"]
HERE = "/srv/gotest-restore"


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def put(path: str, context: str) -> None:
    os.setxattr(path, "security.selinux", context.encode() + b"\0", follow_symlinks=False)


def restorecon(*words: str) -> list[list[str]]:
    """What it would do, as it says it."""
    said = run("restorecon", "-Rnv", *words)
    return sorted([list(words) for words in re.findall(r"^Would relabel (.*) from (\S+) to (\S+)$", said, re.MULTILINE)])


def scrambled() -> dict[str, bytes]:
    """Labels as they were of some files whose labels are wrong now."""
    with open("/etc/selinux/default/contexts/customizable_types", encoding="ascii") as source:
        customizable = f"system_u:object_r:{source.readline().strip()}:s0"
    names = [os.path.join(top, name) for tree in TREES for top, directories, files in os.walk(tree) for name in directories + files]
    chosen = random.Random(6).sample(sorted(names), 300)
    before = {name: os.getxattr(name, "security.selinux", follow_symlinks=False) for name in chosen}
    for number, name in enumerate(chosen):
        put(name, [*WRONG, customizable][number % 5])
    return before


def main() -> None:
    labels = LocalLabels()
    found: dict[str, Any] = {}
    os.makedirs(f"{HERE}/mounted")
    before = scrambled()
    try:
        for name, flags in (("type", []), ("force", ["-F"])):
            force = bool(flags)
            ours = labels.wrong(TREES, force=force)
            found[name] = dict(restorecon=restorecon(*flags, *TREES), ours=ours)
            labels.apply(ours)
            found[name].update(left=restorecon(*flags, *TREES), again=labels.wrong(TREES, force=force))
    finally:
        for path, label in before.items():
            os.setxattr(path, "security.selinux", label, follow_symlinks=False)

    run("mount", "-t", "tmpfs", "none", f"{HERE}/mounted")
    try:
        with open(f"{HERE}/mounted/x", "w", encoding="ascii"):
            put(f"{HERE}/mounted/x", WRONG[0])
        put(HERE, WRONG[0])
        found["mount"] = dict(above=[each.path for each in labels.wrong([HERE])], named=[each.path for each in labels.wrong([f"{HERE}/mounted"])])
    finally:
        run("umount", f"{HERE}/mounted")

    image = f"{HERE}/image"
    os.makedirs(f"{image}/opt/app/bin")
    shutil.copytree("/etc/selinux", f"{image}/etc/selinux", symlinks=True)
    inside = LocalLabels(image)
    inside.apply(inside.wrong(["/opt"]))
    found["image"] = dict(label=os.getxattr(f"{image}/opt/app/bin", "security.selinux").decode(), left=inside.wrong(["/opt"]))

    try:
        labels.apply([Relabel(HERE, "", "system_u:object_r:no_such_t:s0")])
    except GoHostError as error:
        found["refused"] = str(error)
    found["digests"] = run("sh", "-c", f"getfattr -R -d -m 'security.(sehash|restorecon)' {HERE} /opt /etc/ssl 2>/dev/null || true")
    shutil.rmtree(HERE)
    print(json.dumps(found))


main()
