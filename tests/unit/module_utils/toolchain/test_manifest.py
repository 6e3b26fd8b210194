# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import stat
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import TreeEntry
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import manifest as manifests
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Manifest, Member, Provenance

LINK = manifests.link_digest("go")
MANIFEST = Manifest(
    version="1.27.3",
    arch="amd64",
    provenance=Provenance("h1:abc=", "checksum database", "goproxy", "zip", "https://proxy.example.com/x.zip"),
    owner="0:0",
    stat_digest="ab" * 32,
    go_env="GOTOOLCHAIN=auto\n",
    members=(
        Member("VERSION", 0o644, 8, "aa"),
        Member("bin/go", 0o755, 10, "bb"),
        Member("bin/golang", 0o777, 2, LINK),
        Member("go.env", 0o644, 17, "cc"),
        Member("src/a b/x y.go", 0o644, 3, "dd"),
        Member("src/\u00e4.go", 0o644, 0, "ee"),
    ),
)


def entry(path: str, mode: int, size: int = 0, uid: int = 0, gid: int = 0) -> TreeEntry:
    return TreeEntry(path, mode, uid, gid, size)


def listing() -> Dict[str, TreeEntry]:
    """The tree as the manifest says it."""
    entries = [entry(path, stat.S_IFDIR | 0o755) for path in (".", "bin", "src", "src/a b")]
    for member in MANIFEST.members:
        entries.append(entry(member.path, (stat.S_IFLNK if member.sha256 == LINK else stat.S_IFREG) | member.mode, member.size))
    return {item.path: item for item in entries}


HASHES = {member.path: member.sha256 for member in MANIFEST.members}


def test_manifest_survives() -> None:
    assert manifests.parse(manifests.render(MANIFEST), "m") == MANIFEST
    assert manifests.parse(manifests.render(MANIFEST).partition(b"\n")[0] + b"\n", "m") == MANIFEST._replace(members=())


def test_render_does_not_depend_on_the_order_of_members() -> None:
    assert manifests.render(MANIFEST._replace(members=MANIFEST.members[::-1])) == manifests.render(MANIFEST)


@pytest.mark.parametrize("text", [b"", b"{}", b"{}\n", b"nothing", b"\xff", manifests.render(MANIFEST)[:40], manifests.render(MANIFEST) + b"half a line\n"])
def test_a_broken_manifest_is_named(text: bytes) -> None:
    with pytest.raises(GoHostError, match="this tree's manifest cannot be read: /m. Remove that file and run with repair: true"):
        manifests.parse(text, "/m")


def test_no_difference() -> None:
    assert manifests.differences(MANIFEST, listing().values(), HASHES.__getitem__) == []


@pytest.mark.parametrize(
    ("path", "change", "found"),
    [
        ("bin/go", None, ["bin/go: missing"]),
        ("bin/go", {"size": 11}, ["bin/go: content changed"]),
        ("bin/go", {"mode": stat.S_IFREG | 0o644}, ["bin/go: mode 0644 instead of 0755"]),
        ("bin/go", {"mode": stat.S_IFREG | 0o4755}, ["bin/go: mode 4755 instead of 0755"]),
        ("bin/go", {"uid": 1000}, ["bin/go: owned by 1000:0 instead of 0:0"]),
        ("bin/go", {"gid": 50}, ["bin/go: owned by 0:50 instead of 0:0"]),
        ("bin/go", {"mode": stat.S_IFDIR | 0o755}, ["bin/go: does not belong there"]),
        ("bin", {"mode": stat.S_IFDIR | 0o777}, ["bin: mode 0777 instead of 0755"]),
        (".", {"mode": stat.S_IFDIR | 0o777}, [".: mode 0777 instead of 0755"]),
        ("src/a b", {"uid": 7}, ["src/a b: owned by 7:0 instead of 0:0"]),
        ("go.env", None, []),  # judged by its text
        ("go.env", {"size": 99}, []),
        ("go.env", {"mode": stat.S_IFLNK | 0o777}, ["go.env: does not belong there"]),
    ],
)
def test_every_kind_of_difference(path: str, change: Optional[Dict[str, Any]], found: List[str]) -> None:
    entries = listing()
    if change is None:
        del entries[path]
    else:
        entries[path] = entries[path]._replace(**change)
    assert manifests.differences(MANIFEST, entries.values(), HASHES.__getitem__) == found


@pytest.mark.parametrize(("path", "content"), [("bin/go", "00"), ("bin/golang", manifests.link_digest("..")), ("src/a b/x y.go", "")])
def test_content_decides(path: str, content: str) -> None:
    assert manifests.differences(MANIFEST, listing().values(), dict(HASHES, **{path: content}).__getitem__) == [f"{path}: content changed"]


@pytest.mark.parametrize("mode", [stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644])
def test_what_does_not_belong_there(mode: int) -> None:
    entries = dict(listing(), new=entry("src/new", mode))
    assert manifests.differences(MANIFEST, entries.values(), HASHES.__getitem__) == ["src/new: does not belong there"]


@pytest.mark.parametrize(
    ("base", "settings", "text"),
    [
        ("", {}, ""),
        ("", {"GOPROXY": "off"}, "GOPROXY=off\n"),
        ("A=1\nB=2\n", {}, "A=1\nB=2\n"),
        ("# c\n\nA=1\nB=2", {"A": "x=y"}, "# c\n\nA=x=y\nB=2\n"),
        ("A=1\n", {"Z": "9", "C": "3"}, "A=1\nC=3\nZ=9\n"),
        ("#A=1\n", {"A": "2"}, "#A=1\nA=2\n"),
        ("A=1\n", {"A": ""}, "A=\n"),
    ],
)
def test_settings_over_go_env(base: str, settings: Dict[str, str], text: str) -> None:
    assert manifests.go_env(base, settings) == text
    assert manifests.go_env(text, settings) == text
