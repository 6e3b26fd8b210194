# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that has nothing to do, against the least that a task can be: one stat."""

from pathlib import Path

from benchmarks import material, measure, playbooks


def rows(scratch: Path, count: int) -> list[tuple[str, ...]]:
    directory = scratch / "unchanged"
    archives = directory / "archives"
    archives.mkdir(parents=True)
    for version in material.SIDE_BY_SIDE:
        zipped = material.module_zip(version)
        (archives / material.name_of(zipped)).symlink_to(zipped.path)
    found = []
    for versions in (material.SIDE_BY_SIDE[-1:], material.SIDE_BY_SIDE):
        root = directory / f"{len(versions)}"
        wish = playbooks.wish(root, versions, sources=[{"type": "file", "path": str(archives)}])
        wish["checksums"] = {version: {material.ARCH: [material.module_zip(version).digest]} for version in versions}
        ours = {playbooks.MODULE: wish}
        peer = {"ansible.builtin.stat": {"path": f"{root}/go/{versions[-1]}/bin/go", "get_checksum": False}}
        tasks = [{"name": "install", **ours}]
        for number in range(count + 1):
            pair = [{"name": f"ours {number}", **ours}, {"name": f"peer {number}", **peer}]
            tasks += pair[:: -1 if number % 2 else 1]
        times = {time.task: time.seconds for time in playbooks.play(directory, tasks)}
        pairs = [measure.Pair(times[f"ours {number}"], times[f"peer {number}"]) for number in range(1, count + 1)]  # the first one builds the module
        name = "unchanged, one version" if len(versions) == 1 else f"unchanged, {len(versions)} versions"
        found.append(measure.row(f"{name} : a task of stat", pairs, "1.30" if len(versions) == 1 else ""))
    return found
