# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import goproxy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.test", [("https://a.test", "not_found")]),
        ("https://a.test,https://b.test|https://c.test", [("https://a.test", "not_found"), ("https://b.test", "always"), ("https://c.test", "not_found")]),
        ("https://a.test/,direct", [("https://a.test", "not_found"), (goproxy.DIRECT, "not_found")]),
        ("https://a.test|direct", [("https://a.test", "always"), (goproxy.DIRECT, "not_found")]),
        ("direct,https://a.test", [(goproxy.DIRECT, "not_found")]),
        ("https://a.test,off,https://b.test", [("https://a.test", "not_found")]),
        ("off", []),
        (" , https://a.test ,, | b.test:8080/go ,", [("https://a.test", "not_found"), ("https://b.test:8080/go", "not_found")]),
        ("a.test|file:///srv/go/", [("https://a.test", "always"), ("file:///srv/go", "not_found")]),
        ("http://[::1]:3000/x/", [("http://[::1]:3000/x", "not_found")]),
        ("https://u:p@a.test/go", [("https://u:p@a.test/go", "not_found")]),
    ],
)
def test_parse(text: str, expected: list[tuple[str, str]]) -> None:
    assert goproxy.parse(text) == expected


@pytest.mark.parametrize("text", ["", " ", ",", "|,"])
def test_a_list_without_entries(text: str) -> None:
    with pytest.raises(GoHostError, match="names no proxy"):
        goproxy.parse(text)


@pytest.mark.parametrize(
    "text", ["noproxy", "/srv/go", "ftp://a.test", "file://host/srv", "file:///srv?x=1", "https://", "https://a.test:port", "https://a b.test"]
)
def test_what_is_no_proxy(text: str) -> None:
    with pytest.raises(GoHostError, match="no URL"):
        goproxy.parse(text)


@pytest.mark.parametrize("text", ["ftp://user:hunter2@a.test", "https://user:hunter2@a.test:port"])
def test_a_password_is_never_shown(text: str) -> None:
    with pytest.raises(GoHostError) as refused:
        goproxy.parse(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "said", "expected"),
    [
        ({"GOPROXY": "https://a.test"}, "https://b.test", "https://a.test"),
        ({"GOPROXY": ""}, "https://b.test", "https://b.test"),
        ({}, "https://b.test", "https://b.test"),
        ({}, None, None),
        ({}, "", None),
    ],
)
def test_known(environ: dict[str, str], said: str | None, expected: str | None) -> None:
    def run_go_env(given: Mapping[str, str]) -> str | None:
        assert given is environ
        return said

    assert goproxy.known(environ, run_go_env) == expected


def test_go_env(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1 $2 $GOTOOLCHAIN $PWD" = "env GOPROXY local /" ] && echo https://a.test,direct\n')
    go.chmod(0o755)
    assert goproxy.go_env({**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}) == "https://a.test,direct"
    go.write_text("#!/bin/sh\necho https://a.test; exit 2\n")
    assert goproxy.go_env({**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}) is None


def test_no_go(tmp_path: Path) -> None:
    assert goproxy.go_env({"PATH": str(tmp_path)}) is None


def test_escape() -> None:
    assert goproxy.escape("github.com/Azure/azure-SDK") == "github.com/!azure/azure-!s!d!k"
    assert goproxy.escape("v0.0.1-go1.27.3.linux-amd64") == "v0.0.1-go1.27.3.linux-amd64"


@pytest.mark.parametrize("text", ["", "a/../b", "/a", "a/", "a b", "a!b", "a@b", "ä", "a\n"])
def test_what_cannot_be_escaped(text: str) -> None:
    with pytest.raises(GoHostError, match="not a module path"):
        goproxy.escape(text)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://a.test/go", ("https://a.test/go", None, None)),
        ("https://user:p%40ss%2F@a.test:81/go", ("https://a.test:81/go", "user", "p@ss/")),
        ("https://token@a.test", ("https://a.test", "token", "")),
    ],
)
def test_credentials(url: str, parts: Any) -> None:
    assert goproxy.split_credentials(url) == parts
    assert goproxy.split_credentials(goproxy.join_credentials(*parts)) == parts
