# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes plugins/plugin_utils/releases/index.json from tools/inputs.

    python3 tools/make_index.py            writes it
    python3 tools/make_index.py --check    exits 1 when it is not what the inputs say

Inputs: go_releases.json (releases, and sha256's with the projects that state each), go_lifecycle.json, go_toolchain_h1.json, and, where
it exists, official.json, the answer of https://go.dev/dl/?mode=json&include=all saved as it came: one more source.
A sha256 needs two different sources; two sources that contradict each other are an error.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "plugins/plugin_utils/releases/index.json"
ARCHES = {"386", "amd64", "arm64", "armv6l", "loong64", "ppc64le", "riscv64", "s390x"}


def order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def build(inputs: Path) -> dict[str, Any]:
    """The index. SystemExit with one sentence when the inputs contradict each other."""
    stated: dict[tuple[str, str], dict[str, set[str]]] = {}  # (version, arch) → digest → sources
    releases: dict[str, str | None] = {}

    def state(version: str, arch: str, digest: str, sources: set[str]) -> None:
        if arch not in ARCHES or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise SystemExit(f"not an architecture and a sha256: {version} {arch} {digest!r}")
        stated.setdefault((version, arch), {}).setdefault(digest, set()).update(sources)

    for release in json.loads((inputs / "go_releases.json").read_text())["releases"]:
        releases[release["version"]] = release["date"]
        for file in release["files"]:
            if file["os"] == "linux":
                state(release["version"], file["arch"], file["sha256"], set(file["sources"]))
    official = inputs / "official.json"
    for release in json.loads(official.read_text()) if official.exists() else []:
        version = release["version"].removeprefix("go")
        if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
            continue
        releases.setdefault(version, None)
        for file in release["files"]:
            if file["os"] == "linux" and file["kind"] == "archive" and file["arch"] in ARCHES and file["sha256"]:
                state(version, file["arch"], file["sha256"], {"go.dev"})

    h1: dict[str, dict[str, str]] = {}
    for entry in json.loads((inputs / "go_toolchain_h1.json").read_text())["entries"]:
        if entry["os"] == "linux":
            releases.setdefault(entry["version"], None)
            h1.setdefault(entry["version"], {})["armv6l" if entry["arch"] == "arm" else entry["arch"]] = entry["h1"]

    sha256: dict[str, dict[str, str]] = {}
    for (version, arch), digests in sorted(stated.items(), key=lambda item: (order(item[0][0]), item[0][1])):
        if len(digests) > 1:
            raise SystemExit(f"sources contradict each other about {version} {arch}: {digests}")
        ((digest, sources),) = digests.items()
        if len(sources) >= 2:
            sha256.setdefault(version, {})[arch] = digest
    return {
        "lines": {line["minor"]: [line["released"], line["eol"]] for line in json.loads((inputs / "go_lifecycle.json").read_text())},
        "releases": {version: releases[version] for version in sorted(releases, key=order)},
        "sha256": sha256,
        "h1": {version: dict(sorted(h1[version].items())) for version in sorted(h1, key=order)},
    }


def text(index: dict[str, Any]) -> str:
    """One line per version, so that a diff of two indexes can be read."""
    parts = []
    for name, entries in index.items():
        lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in entries.items())
        parts.append(f'"{name}":{{\n{lines}}}')
    return "{" + ",\n".join(parts) + "}\n"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Makes the bundled index of Go releases.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--inputs", type=Path, default=ROOT / "tools/inputs", help="directory of the inputs")
    parser.add_argument("--index", type=Path, default=INDEX, help="the file to write or compare")
    options = parser.parse_args(argv)
    made = text(build(options.inputs))
    if not options.check:
        options.index.write_text(made)
    elif not options.index.exists() or options.index.read_text() != made:
        print(f"{options.index} is not what {options.inputs} says: run python3 tools/make_index.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
