# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import re
from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import authority, goproxy, sources, tlog
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.model import Digests, Source

SHA = Digests(("sha256:00",), "bundled index")
H1 = Digests(("h1:x",), "checksum database")
ZIP = "golang.org/toolchain/@v/v0.0.1-go1.27.3.linux-amd64.zip"


def both(archive_format: str) -> Digests:
    return {"tar.gz": SHA, "zip": H1}[archive_format]


def only_zip(archive_format: str) -> Digests:
    if archive_format == "tar.gz":
        raise authority.NoAuthority("no sha256 is known")
    return H1


def candidates(option: Any, known: str | None, digests: Any = both, version: str = "1.27.3", arch: str = "amd64") -> tuple[list[Candidate], list[str]]:
    left_out: list[str] = []
    return list(sources.candidates(version, arch, sources.parse(option, known), known, digests, left_out)), left_out


def places(option: Any, known: str | None, version: str = "1.27.3", arch: str = "amd64") -> list[tuple[str, ...]]:
    found = candidates(option, known, both, version, arch)[0]
    return [(one.source, one.format, one.url or one.path, one.fallback) for one in found]


def test_default_sources() -> None:
    assert sources.parse(None, None) == [Source("official")]
    assert sources.parse([], "https://a.test") == [Source("official"), Source("goproxy")]


@pytest.mark.parametrize(
    ("option", "known", "expected"),
    [
        (None, None, [("official", "tar.gz", "https://go.dev/dl/go1.27.3.linux-amd64.tar.gz", "always")]),
        (
            None,
            "https://a.test|direct",
            [
                ("official", "tar.gz", "https://go.dev/dl/go1.27.3.linux-amd64.tar.gz", "always"),
                ("goproxy", "zip", f"https://a.test/{ZIP}", "always"),
                ("goproxy", "zip", f"{goproxy.DIRECT}/{ZIP}", "not_found"),
            ],
        ),
        (
            [{"type": "mirror", "url": "https://m.test/go/", "path": None}],
            None,
            [("mirror", "tar.gz", "https://m.test/go/go1.27.3.linux-amd64.tar.gz", "always")],
        ),
        ([{"type": "mirror", "url": "https://m.test"}], None, [("mirror", "tar.gz", "https://m.test/go1.27.3.linux-amd64.tar.gz", "always")]),
        (
            [{"type": "file", "path": "/srv/go/"}],
            "https://a.test",
            [
                ("file", "tar.gz", "/srv/go/go1.27.3.linux-amd64.tar.gz", "always"),
                ("file", "zip", "/srv/go/v0.0.1-go1.27.3.linux-amd64.zip", "always"),
                ("file", "zip", f"/srv/go/{ZIP}", "always"),
            ],
        ),
        (
            [{"type": "goproxy", "url": "https://b.test,file:///srv/proxy"}, {"type": "goproxy"}],
            "https://a.test/",
            [
                ("goproxy", "zip", f"https://b.test/{ZIP}", "not_found"),
                ("goproxy", "zip", f"file:///srv/proxy/{ZIP}", "not_found"),
                ("goproxy", "zip", f"https://a.test/{ZIP}", "not_found"),
            ],
        ),
    ],
)
def test_candidates(option: Any, known: str | None, expected: list[tuple[str, ...]]) -> None:
    assert places(option, known) == expected


def test_names_by_architecture_and_version() -> None:
    option = [{"type": "official"}, {"type": "goproxy", "url": "https://a.test"}]
    found = places(option, None, version="1.28rc1", arch="armv6l")
    assert [one[2] for one in found] == [
        "https://go.dev/dl/go1.28rc1.linux-armv6l.tar.gz",
        "https://a.test/golang.org/toolchain/@v/v0.0.1-go1.28rc1.linux-arm.zip",
    ]


def test_a_candidate_says_who_vouches() -> None:
    found, left_out = candidates(None, "direct")
    assert [(one.source_index, one.digests, one.authority) for one in found] == [
        (0, ("sha256:00",), "bundled index"),
        (1, ("h1:x",), "checksum database"),
    ]
    assert left_out == []


def test_what_nobody_vouches_for_is_left_out() -> None:
    option = [{"type": "mirror", "url": "https://m.test"}, {"type": "official"}, {"type": "goproxy"}]
    found, left_out = candidates(option, "direct", only_zip)
    assert [one.source for one in found] == ["goproxy"]
    assert left_out == ["mirror: no sha256 is known"]


@pytest.mark.parametrize(
    ("option", "known", "message"),
    [
        (None, None, "no verifiable source has this Go: 1.27.3 for linux-amd64: official: no sha256 is known. Give its digest in checksums"),
        ([{"type": "goproxy"}], None, "goproxy: it has no url, and no GOPROXY is known"),
        ([{"type": "goproxy"}], "off", "goproxy: GOPROXY is off"),
    ],
)
def test_nothing_to_try(option: Any, known: str | None, message: str) -> None:
    found, left_out = candidates(option, known, only_zip)
    assert found == []
    assert re.search(message, str(sources.nothing("1.27.3", "amd64", left_out)))


def test_authority_is_asked_late_and_once() -> None:
    asked = []

    def digests(archive_format: str) -> Digests:
        asked.append(archive_format)
        return both(archive_format)

    option = [{"type": "official"}, {"type": "goproxy", "url": "https://a.test,https://b.test"}]
    found = sources.candidates("1.27.3", "amd64", sources.parse(option, None), None, digests, [])
    assert asked == []
    next(found)
    assert asked == ["tar.gz"]
    assert len(list(found)) == 2
    assert asked == ["tar.gz", "zip"]


def test_a_bad_answer_ends_it() -> None:
    def digests(archive_format: str) -> Digests:
        raise tlog.BadAnswer("forged")

    with pytest.raises(tlog.BadAnswer):
        candidates(None, "direct", digests)


@pytest.mark.parametrize(
    ("option", "known", "expected"),
    [
        ([{"type": "mirror", "url": "https://m.test", "username": "u", "password": "p"}], None, [("https://m.test/go1.27.3.linux-amd64.tar.gz", "u", "p")]),
        ([{"type": "mirror", "url": "https://u:p%40@m.test/x"}], None, [("https://m.test/x/go1.27.3.linux-amd64.tar.gz", "u", "p@")]),
        ([{"type": "mirror", "url": "https://u:p@m.test", "username": "v"}], None, [("https://m.test/go1.27.3.linux-amd64.tar.gz", "v", "")]),
        (None, "https://u:p@a.test", [("https://go.dev/dl/go1.27.3.linux-amd64.tar.gz", "", ""), (f"https://a.test/{ZIP}", "u", "p")]),
        (
            [{"type": "goproxy", "url": "https://a.test,https://b.test,direct", "username": "u", "password": "p"}],
            None,
            [(f"https://a.test/{ZIP}", "u", "p"), (f"https://b.test/{ZIP}", "", ""), (f"{goproxy.DIRECT}/{ZIP}", "", "")],
        ),
        ([{"type": "goproxy", "url": "direct", "username": "u", "password": "p"}], None, [(f"{goproxy.DIRECT}/{ZIP}", "", "")]),
    ],
)
def test_credentials_go_where_they_belong(option: Any, known: str | None, expected: list[tuple[str, str, str]]) -> None:
    found = candidates(option, known)[0]
    assert [(one.url, one.username, one.password) for one in found] == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "not a type of source: None in number 2. It is one of official, mirror, file, goproxy"),
        ({"type": "ftp"}, "not a type of source: 'ftp'"),
        ({"type": "official", "url": "https://a.test"}, "url is of no use: in number 2, of type official. It takes nothing"),
        ({"type": "official", "username": "u"}, "username is of no use"),
        ({"type": "mirror"}, "a mirror needs the URL"),
        ({"type": "mirror", "url": ""}, "url is of no use"),
        ({"type": "mirror", "url": "m.test/go"}, "a mirror needs the URL"),
        ({"type": "mirror", "url": "https://m.test/?f="}, "a mirror needs the URL"),
        ({"type": "mirror", "url": "https://[m.test"}, "a mirror needs the URL"),
        ({"type": "mirror", "url": "https://m.test", "path": "/x"}, "path is of no use"),
        ({"type": "mirror", "url": "https://m.test", "password": "hunter2"}, "a password without username"),
        ({"type": "file"}, "needs the absolute path"),
        ({"type": "file", "path": "srv"}, "needs the absolute path"),
        ({"type": "file", "path": 1}, "path is of no use"),
    ],
)
def test_options_that_are_wrong(entry: Any, message: str) -> None:
    with pytest.raises(GoHostError, match=message) as refused:
        sources.parse([{"type": "official"}, entry], None)
    assert "hunter2" not in str(refused.value)


def test_proxy_urls() -> None:
    option = [{"type": "official"}, {"type": "goproxy"}, {"type": "goproxy", "url": "https://b.test|file:///srv", "username": "u@", "password": "p"}]
    assert sources.proxy_urls(sources.parse(option, "https://a.test,direct"), "https://a.test,direct") == [
        "https://a.test",
        "https://u%40:p@b.test",
        "file:///srv",
    ]
    assert sources.proxy_urls(sources.parse(option[:2], None), None) == []
