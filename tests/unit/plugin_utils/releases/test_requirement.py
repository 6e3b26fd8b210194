# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import requirement


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("go.mod", "module m\n\ngo 1.26\n", "1.26"),
        ("go.mod", "module m\ngo 1.26.3\ntoolchain go1.27.3\n", "1.27.3"),
        ("go.mod", "toolchain go1.27.3 // why\ngo 1.26\r\n", "1.27.3"),
        ("go.mod", "go 1.27.3\ntoolchain go1.26.1\n", "1.27.3"),
        ("go.mod", "go 1.28rc1\ntoolchain default\n", "1.28rc1"),
        ("go.mod", "go 1.26.1\ntoolchain none\n", "1.26.1"),
        ("go.mod", '// go 1.20\nmodule "go"\ngo "1.25.1"\n', "1.25.1"),
        ("go.mod", "require (\n\tgo 1.1\n\ttoolchain go1.2.3\n)\ngo 1.25.1\n", "1.25.1"),
        ("go.mod", "require (\n)\ngo 1.25.1\n", "1.25.1"),
        ("go.work", "go 1.27.0\n\nuse (\n\t./a\n)\ntoolchain go1.27.3\n", "1.27.3"),
        (".go-version", "1.27.3\n", "1.27.3"),
        (".go-version", "# comment\n\n  go1.26 \r\n", "1.26"),
        (".go-version", "latest\n", "stable"),
        (".go-version", "oldstable", "oldstable"),
        (".tool-versions", "nodejs 20.1.0\ngolang 1.27.3 1.26.1 # both\n", "1.27.3"),
        (".tool-versions", "go latest:1.26\n", "1.26"),
        (".tool-versions", "#golang 1.1\ngolang latest", "stable"),
    ],
)
def test_read(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    assert requirement.read(str(tmp_path / name)) == expected
    assert requirement.read(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("go.mod", "module m\n", "names no Go version"),
        ("go.mod", "toolchain default\n", "names no Go version"),
        ("go.mod", "go 1.26\ntoolchain go1.27.3-custom\n", "cannot be installed: 'go1.27.3-custom'"),
        (".go-version", "", "names no Go version"),
        (".go-version", "system\n", "cannot be installed"),
        (".tool-versions", "nodejs 20\ngolang\n", "names no Go version"),
        (".tool-versions", "golang ref:master\n", "cannot be installed: 'ref:master'"),
        ("Makefile", "go 1.26\n", "must be one of go.mod, go.work, .go-version, .tool-versions"),
    ],
)
def test_what_names_no_version(name: str, text: str, message: str) -> None:
    with pytest.raises(GoHostError, match=message):
        requirement.read(name, text)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(GoHostError, match="No such file"):
        requirement.read(str(tmp_path / "go.mod"))
    (tmp_path / "go.mod").write_bytes(b"\xff\xfe")
    with pytest.raises(GoHostError, match="not text"):
        requirement.read(str(tmp_path / "go.mod"))


@pytest.mark.parametrize(
    ("term", "expected"), [("1.26", False), ("stable", False), ("go.mod", True), (".go-version", True), ("a/b", True), ("~/x/go.mod", True)]
)
def test_is_file(term: str, expected: bool) -> None:
    assert requirement.is_file(term) is expected
