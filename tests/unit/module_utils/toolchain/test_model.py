# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import itertools
from typing import Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import model


@pytest.mark.parametrize(
    ("text", "shown", "line"),
    [
        ("1.27.3", "1.27.3", "1.27"),
        ("go1.27.3", "1.27.3", "1.27"),
        ("1.27.0", "1.27.0", "1.27"),
        ("1.21.0", "1.21.0", "1.21"),
        ("1.20", "1.20", "1.20"),
        ("1.20.0", "1.20", "1.20"),
        ("1.20.14", "1.20.14", "1.20"),
        ("1.28rc1", "1.28rc1", "1.28"),
        ("go1.18beta2", "1.18beta2", "1.18"),
        ("2.0.1", "2.0.1", "2.0"),
    ],
)
def test_versions(text: str, shown: str, line: str) -> None:
    version = model.parse_version(text)
    assert version is not None
    assert (str(version), version.line) == (shown, line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "go",
        "1.",
        "v1.27.3",
        "1.27.3 ",
        "1.27.3\n",
        " 1.27.3",
        "1.27.3.1",
        "1.27.3rc1",
        "1.27alpha1",
        "1.27-rc1",
        "stable",
        "1.27.x",
        "../1.27.3",
        "1.२7.3",
        "Go1.27.3",
    ],
)
def test_what_is_no_version(text: str) -> None:
    assert model.parse_version(text) is None


def test_releases_sort_as_they_came() -> None:
    in_order = ["1.9.7", "1.18beta1", "1.18beta2", "1.18rc1", "1.18", "1.18.1", "1.21.0", "1.21.13", "1.27rc2", "1.27.0", "1.27.2", "1.27.10", "2.0.0"]
    parsed = [model.parse_version(text) for text in in_order]
    assert None not in parsed
    for earlier, later in itertools.combinations(parsed, 2):
        assert earlier is not None and later is not None and earlier < later


@pytest.mark.parametrize(
    ("text", "line"), [("1.26", (1, 26)), ("go1.26", (1, 26)), ("1.26.1", None), ("1.26\n", None), ("1", None), ("1.26rc1", None), ("stable", None)]
)
def test_lines(text: str, line: Optional[Tuple[int, int]]) -> None:
    assert model.parse_line(text) == line


@pytest.mark.parametrize(
    ("machine", "bits", "arch"),
    [
        ("x86_64", 64, "amd64"),
        ("x86_64", 32, "386"),
        ("i386", 32, "386"),
        ("i686", 32, "386"),
        ("aarch64", 64, "arm64"),
        ("aarch64", 32, "armv6l"),
        ("armv6l", 32, "armv6l"),
        ("armv7l", 32, "armv6l"),
        ("armv8l", 32, "armv6l"),
        ("ppc64le", 64, "ppc64le"),
        ("s390x", 64, "s390x"),
        ("riscv64", 64, "riscv64"),
        ("loongarch64", 64, "loong64"),
    ],
)
def test_architectures(machine: str, bits: int, arch: str) -> None:
    assert model.arch_of(machine, bits) == arch
    assert arch in model.ARCHES


@pytest.mark.parametrize(
    ("machine", "bits"), [("mips64", 64), ("armv5tel", 32), ("ppc64", 64), ("", 64), ("X86_64", 64), ("s390x", 32), ("riscv64", 32), ("aarch64_be", 64)]
)
def test_an_unknown_architecture_is_never_guessed(machine: str, bits: int) -> None:
    with pytest.raises(GoHostError, match="no Go release for this machine's architecture.*Set arch to one of 386, amd64") as caught:
        model.arch_of(machine, bits)
    assert caught.value.value == machine


def test_names_of_archives() -> None:
    assert model.archive_name("1.27.3", "armv6l") == "go1.27.3.linux-armv6l.tar.gz"
    assert model.module_version("1.27.3", "armv6l") == "v0.0.1-go1.27.3.linux-arm"
    assert model.module_version("1.28rc1", "amd64") == "v0.0.1-go1.28rc1.linux-amd64"
    assert [model.goarch(arch) for arch in model.ARCHES] == ["386", "amd64", "arm64", "arm", "loong64", "ppc64le", "riscv64", "s390x"]


def test_a_store_keeps_to_its_root() -> None:
    layout = model.Layout("/opt/go")
    assert layout.tree("1.27.3") == "/opt/go/1.27.3"
    paths = [layout.current, layout.private, layout.state, layout.manifests, layout.manifest("1.27.3"), layout.stage]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith("/opt/go/") for path in paths)
