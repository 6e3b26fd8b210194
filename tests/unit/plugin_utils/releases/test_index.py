# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.plugin_utils.releases import index

ROOT = Path(__file__).resolve().parents[4]
TOOL = ROOT / "tools/make_index.py"


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(TOOL), *argv], capture_output=True, text=True, check=False)


def make(directory: Path, releases: list[Any], official: Any = None, h1: Any = ()) -> Path:
    (directory / "go_releases.json").write_text(json.dumps({"releases": releases}))
    (directory / "go_lifecycle.json").write_text(json.dumps([{"minor": "1.27", "released": "2026-08-19", "eol": None}]))
    (directory / "go_toolchain_h1.json").write_text(json.dumps({"entries": list(h1)}))
    if official is not None:
        (directory / "official.json").write_text(json.dumps(official))
    return directory


def release(version: str, digest: str, sources: list[str]) -> dict[str, Any]:
    return {"version": version, "date": "2026-10-08", "files": [{"os": "linux", "arch": "amd64", "sha256": digest * 64, "sources": sources}]}


def official(version: str, digest: str) -> list[Any]:
    return [{"version": f"go{version}", "files": [{"os": "linux", "arch": "amd64", "kind": "archive", "sha256": digest * 64}]}]


def test_the_bundled_index_is_what_its_inputs_say() -> None:
    done = run("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_check_sees_a_difference(tmp_path: Path) -> None:
    changed = tmp_path / "index.json"
    changed.write_text((ROOT / "plugins/plugin_utils/releases/index.json").read_text().replace("a", "b", 1))
    assert run("--check", "--index", str(changed)).returncode == 1
    assert run("--check", "--index", str(tmp_path / "missing.json")).returncode == 1


def test_a_sha256_needs_two_sources(tmp_path: Path) -> None:
    inputs = make(tmp_path, [release("1.27.1", "a", ["one", "two"]), release("1.27.2", "b", ["one"]), release("1.27.3", "c", ["one"])], official("1.27.3", "c"))
    target = tmp_path / "index.json"
    assert run("--inputs", str(inputs), "--index", str(target)).returncode == 0
    made = json.loads(target.read_text())
    assert made["sha256"] == {"1.27.1": {"amd64": "a" * 64}, "1.27.3": {"amd64": "c" * 64}}
    assert list(made["releases"]) == ["1.27.1", "1.27.2", "1.27.3"]


def test_releases_come_from_all_inputs_and_candidates_are_left_out(tmp_path: Path) -> None:
    entry = {"version": "1.27.10", "os": "linux", "arch": "arm", "h1": "h1:x"}
    inputs = make(tmp_path, [release("1.27.9", "a", ["one"])], official("1.28rc1", "c") + official("1.27.11", "d"), [entry])
    target = tmp_path / "index.json"
    assert run("--inputs", str(inputs), "--index", str(target)).returncode == 0
    made = json.loads(target.read_text())
    assert made["releases"] == {"1.27.9": "2026-10-08", "1.27.10": None, "1.27.11": None}
    assert (made["h1"], made["sha256"]) == ({"1.27.10": {"armv6l": "h1:x"}}, {})


def test_sources_that_contradict_each_other_stop_it(tmp_path: Path) -> None:
    inputs = make(tmp_path, [release("1.27.1", "a", ["one", "two"])], official("1.27.1", "b"))
    done = run("--inputs", str(inputs), "--index", str(tmp_path / "index.json"))
    assert done.returncode == 1
    assert "contradict each other about 1.27.1 amd64" in done.stderr


def test_load() -> None:
    known = index.load()
    assert len(known.sha256) == 819
    assert known.releases["1.27.2"] == "2026-10-08"
    assert "1.27.4" in known.releases
    assert known.h1["1.27.4", "amd64"] == "h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI="
    assert known.sha256["1.27.2", "amd64"] == "ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5"
    assert ("1.27.2", "s390x") not in known.sha256, "only one source states it"
    assert known.lines["1.25"] == ("2025-08-12", "2026-08-19")


@pytest.mark.parametrize("version", ["1.28.0", "go1.28.0"])
def test_extended(version: str) -> None:
    known = index.extended(index.load(), [version, "1.29rc1", "nonsense", "1.27.2"])
    assert set(known.releases) - set(index.load().releases) == {"1.28.0"}
    assert known.releases["1.27.2"] == "2026-10-08"
