# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from typing import List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import parse
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import State

STATES = [
    State(),
    State(("1.26.11", "1.27.3"), ("/usr/local/bin/go", "/usr/local/go"), {"/usr/local/go": "/usr/local/.go.gohost-saved"}, {"GOTOOLCHAIN": "local"}),
    State(links=("/home/ä/bin/go",)),
]


@pytest.mark.parametrize("state", STATES)
def test_state_survives(state: State) -> None:
    assert parse.parse_state(parse.render_state(state), "/opt/go/.gohost/state.json") == state


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"history": []}', b'{"history": 1, "links": [], "saved": {}, "go_env": {}}', b"\xff\xfe"])
def test_a_broken_state_is_named(text: bytes) -> None:
    with pytest.raises(GoHostError, match="the store's state cannot be read: /opt/go/.gohost/state.json. Restore it, or remove it") as caught:
        parse.parse_state(text, "/opt/go/.gohost/state.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"go1.27.3\ntime 2026-10-19T20:11:06Z\n", "1.27.3"),
        (b"go1.20", "1.20"),
        (b"go1.28rc1\r\n", "1.28rc1"),
        (b"devel go1.28-abcdef Thu\n", ""),
        (b"", ""),
        (b"\n go1.27.3", ""),
        (b"<!doctype html>", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_version_files(text: bytes, version: str) -> None:
    assert parse.version_file(text) == version


UNIT = """\
# ExecStart=/opt/go/1.20/bin/go
[Unit]
Description=ExecStart=/no
[Service]
Type=notify
;WorkingDirectory=/opt/go/1.20
WorkingDirectory=-/opt/go/1.26.11
  ExecStartPre = +/opt/go/1.25.14/bin/go version
ExecStart=
ExecStart=/usr/bin/env PATH=/opt/go/1.27.3/bin:/usr/bin \\
    go run \\
    ./cmd
Environment=GOROOT=/opt/go/1.24
ExecStopPost=/bin/true
"""


def test_units_name_programs() -> None:
    assert parse.unit_commands(UNIT) == [
        ("WorkingDirectory", "-/opt/go/1.26.11"),
        ("ExecStartPre", "+/opt/go/1.25.14/bin/go version"),
        ("ExecStart", "/usr/bin/env PATH=/opt/go/1.27.3/bin:/usr/bin      go run      ./cmd"),
        ("ExecStopPost", "/bin/true"),
    ]


def test_a_file_without_directives_names_nothing() -> None:
    expected: List[Tuple[str, str]] = []
    assert parse.unit_commands("") == expected
    assert parse.unit_commands("garbage\n\0=\n") == expected


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("/opt/go/1.27.3", True),
        ("/opt/go/1.27.3/bin/go run", True),
        ("-/opt/go/1.27.3/bin/go", True),
        ("@/opt/go/1.27.3/bin/go x", True),
        ("!!/opt/go/1.27.3/bin/go", True),
        ('"/opt/go/1.27.3"', True),
        ("/bin/sh -c '/opt/go/1.27.3/bin/go build'", True),
        ("env PATH=/opt/go/1.27.3:/bin x", True),
        ("/opt/go/1.27.30/bin/go", False),
        ("/opt/go/1.27.3-old/bin/go", False),
        ("/opt/go/1.27.3.bak", False),
        ("/srv/opt/go/1.27.3", False),
        ("/opt/go/1x27.3/bin/go", False),
        ("/opt/go/1.27", False),
        ("", False),
    ],
)
def test_who_names_a_path(value: str, named: bool) -> None:
    assert parse.names_path(value, "/opt/go/1.27.3") is named


@pytest.mark.parametrize(
    ("output", "package"),
    [
        ("golang-go:amd64: /usr/bin/go\n", "golang-go:amd64"),  # dpkg-query -S
        ("golang-go, gccgo: /usr/bin/go\n", "golang-go, gccgo"),
        ("golang-bin", "golang-bin"),  # rpm -qf --qf '%{NAME}'
        ("go-1.27.3-r0\n", "go-1.27.3-r0"),  # apk info -qW
        ("", None),
        ("\n\n", None),
    ],
)
def test_packages(output: str, package: Optional[str]) -> None:
    assert parse.package_of(output) == package
