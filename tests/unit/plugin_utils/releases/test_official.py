# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import index, official

DIGEST = "0123456789abcdef" * 4


def file(**changes: str) -> dict[str, Any]:
    return {
        "filename": "go1.28.1.linux-amd64.tar.gz",
        "os": "linux",
        "arch": "amd64",
        "version": "go1.28.1",
        "sha256": DIGEST,
        "size": 1,
        "kind": "archive",
        **changes,
    }


def answer(*files: dict[str, Any]) -> bytes:
    return json.dumps([{"version": "go1.28.1", "stable": True, "files": list(files)}, {"version": "go1.29rc1", "stable": False, "files": []}]).encode()


def test_parse_json() -> None:
    seen = official.parse_json(
        answer(
            file(),
            file(arch="armv6l", filename="go1.28.1.linux-armv6l.tar.gz"),
            file(os="darwin", filename="go1.28.1.darwin-amd64.tar.gz"),
            file(kind="installer"),
            file(arch="mips", filename="go1.28.1.linux-mips.tar.gz"),
            file(arch="arm64"),
            file(arch="s390x", filename="go1.28.1.linux-s390x.tar.gz", sha256=""),
        )
    )
    assert seen.versions == {"1.28.1", "1.29rc1"}
    assert seen.sha256 == {("1.28.1", "amd64"): DIGEST, ("1.28.1", "armv6l"): DIGEST}


def test_old_names_are_passed_over() -> None:
    assert official.parse_json(b"\xef\xbb\xbf" + json.dumps([{"version": "go1.9.2rc2"}, {"version": "go1.9", "files": []}]).encode()).versions == {"1.9"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><html>", "a web page came"),
        (b" \n<html>", "a web page came"),
        (b"", "not in the official format"),
        (b"{}", "the list of releases is empty"),
        (b"[]", "the list of releases is empty"),
        (b"null", "not in the official format"),
        (b"[1]", "not in the official format"),
        (b'[{"version": 1}]', "not in the official format"),
        (b'[{"version": "go1.28.1"}]', "not in the official format"),
        (b'[{"version": "go1.28.1", "files": [{"os": "linux"}]}]', "not in the official format"),
        (b"\xff\xfe", "not in the official format"),
    ],
)
def test_what_is_not_the_list(data: bytes, message: str) -> None:
    with pytest.raises(GoHostError, match=message):
        official.parse_json(data)


def test_parse_list() -> None:
    dated = b"v0.0.1-go1.28.2.darwin-arm64 2026-01-01T00:00:00Z\nv0.0.1-go1.29rc1.linux-arm 2026-01-01T00:00:00Z\r\n"
    lines = b"v0.0.1-go1.28.1.linux-amd64\n" + dated + b"v0.0.1-go1.9.2rc2.linux-amd64\nrubbish\n\n"
    assert official.parse_list(lines) == {"1.28.1", "1.29rc1"}
    assert official.parse_list(b"") == frozenset()
    with pytest.raises(GoHostError, match="a web page came"):
        official.parse_list(b"<html>")


def failing(message: str) -> Callable[..., Any]:
    def fail(*given: object) -> Any:
        raise GoHostError(message)

    return fail


def test_check_latest_believes_the_official_list_first() -> None:
    known = official.check_latest(index.load(), failing("not asked"), ["https://a.test"], lambda: official.parse_json(answer(file())))
    assert "1.28.1" in known.releases
    assert "1.29rc1" not in known.releases


def test_check_latest_then_asks_the_proxies() -> None:
    asked = []

    def get(url: str) -> bytes:
        asked.append(url)
        if "a.test" in url:
            raise GoHostError("refused", "a.test")
        return b"v0.0.1-go1.28.1.linux-amd64\n"

    known = official.check_latest(index.load(), get, ["https://a.test", "https://b.test", "https://c.test"], failing("no way"))
    assert "1.28.1" in known.releases
    assert asked == ["https://a.test/golang.org/toolchain/@v/list", "https://b.test/golang.org/toolchain/@v/list"]


def test_check_latest_without_an_answer() -> None:
    with pytest.raises(GoHostError, match=r"which Go is the newest: no way; a web page came instead of the list of releases: https://a\.test") as refused:
        official.check_latest(index.load(), lambda url: b"<html>", ["https://user:hunter2@a.test"], failing("no way"))
    assert "hunter2" not in str(refused.value)


def test_live_is_fetched_once_and_shared(tmp_path: Path) -> None:
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        return answer(file())

    live = official.Live(get, tmp_path)
    assert live() is live()
    assert official.Live(get, tmp_path)() == live()
    assert asked == [official.JSON_URL]
    os.utime(tmp_path / "official.json", (0, 0))
    assert official.Live(get, tmp_path)() == live()
    assert len(asked) == 2


def test_live_replaces_a_damaged_copy(tmp_path: Path) -> None:
    (tmp_path / "official.json").write_bytes(b"[")
    assert official.Live(lambda url: answer(file()), tmp_path)().versions == {"1.28.1", "1.29rc1"}


def test_live_keeps_no_web_page(tmp_path: Path) -> None:
    with pytest.raises(GoHostError, match="a web page came"):
        official.Live(lambda url: b"<html>", tmp_path)()
    assert not (tmp_path / "official.json").exists()


def test_live_tries_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        raise GoHostError("timed out")

    live = official.Live(get, tmp_path)
    for _attempt in range(3):
        with pytest.raises(GoHostError, match="timed out"):
            live()
    assert len(asked) == 1
