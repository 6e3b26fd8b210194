# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import authority, index, sumdb, tlog
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.official import Official

HEX = "0123456789abcdef" * 4
H1 = "h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI="
MINE = "h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg="
KNOWN = index.load()


class Asked:
    """In place of SumDB: answers or raises, and knows whether it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer, self.asked = answer, 0

    def lookup(self, module: str, version: str) -> str:
        self.asked += 1
        assert module == "golang.org/toolchain"
        if isinstance(self.answer, Exception):
            raise self.answer
        return f"{self.answer}"


def live(answer: object) -> Callable[[], Official]:
    def call() -> Official:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Official)
        return answer

    return call


LIST = Official(frozenset(["1.28.0"]), {("1.28.0", "amd64"): HEX})
AWAY = sumdb.Unreachable("the checksum database cannot be reached", "timeout")
UNKNOWN = sumdb.NotRecorded("the checksum database does not know this module", "v0.0.1-go1.99.0.linux-amd64")


@pytest.mark.parametrize(
    ("version", "arch", "user", "official", "expected"),
    [
        ("1.27.2", "amd64", {}, None, ("sha256:ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5", "bundled index")),
        ("1.27.2", "amd64", {"1.27.2": {"amd64": [f"sha256:{HEX.upper()}"]}}, None, (f"sha256:{HEX}", "user")),
        ("1.27.2", "amd64", {"1.27.2": {"amd64": [MINE]}}, None, ("sha256:ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5", "bundled index")),
        (
            "1.27.2",
            "amd64",
            {"1.27.2": {"arm64": [f"sha256:{HEX}"]}},
            None,
            ("sha256:ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5", "bundled index"),
        ),
        ("1.28.0", "amd64", {}, LIST, (f"sha256:{HEX}", "official JSON")),
    ],
)
def test_official_archives(version: str, arch: str, user: Any, official: Official | None, expected: tuple[str, str]) -> None:
    database = Asked(AssertionError("an archive is no business of the checksum database"))
    found = authority.digests(version, arch, "tar.gz", authority.checksums(user), KNOWN, database, live(official))  # type: ignore[arg-type]
    assert found == ((expected[0],), expected[1])


@pytest.mark.parametrize(
    ("official", "reason"),
    [
        (None, "the official list was not asked"),
        (live(LIST), "the official list does not have it"),
        (live(GoHostError("a web page came")), "a web page came"),
    ],
)
def test_official_archives_without_authority(official: Any, reason: str) -> None:
    with pytest.raises(authority.NoAuthority, match=f"no sha256 is known for the official archive: 1.27.4 s390x. The bundled index has none, and: {reason}"):
        authority.digests("1.27.4", "s390x", "tar.gz", {}, KNOWN, None, official)


@pytest.mark.parametrize(
    ("version", "arch", "user", "answer", "expected", "asked"),
    [
        ("1.27.4", "amd64", {}, H1, (H1, "checksum database"), 1),
        ("1.27.4", "amd64", {"1.27.4": {"amd64": [MINE]}}, H1, (MINE, "user"), 0),
        ("1.27.4", "amd64", {"1.27.4": {"amd64": [f"sha256:{HEX}"]}}, H1, (H1, "checksum database"), 1),
        ("1.27.4", "amd64", {}, AWAY, (H1, "bundled h1"), 1),
        ("1.27.4", "armv6l", {}, MINE, (MINE, "checksum database"), 1),
    ],
)
def test_module_zips(version: str, arch: str, user: Any, answer: object, expected: tuple[str, str], asked: int) -> None:
    database = Asked(answer)
    found = authority.digests(version, arch, "zip", authority.checksums(user), KNOWN, database, live(LIST))  # type: ignore[arg-type]
    assert (found, database.asked) == (((expected[0],), expected[1]), asked)


def test_module_zips_by_what_is_bundled_without_a_database() -> None:
    assert authority.digests("1.27.4", "amd64", "zip", {}, KNOWN) == ((H1,), "bundled h1")


@pytest.mark.parametrize(
    ("version", "answer", "message"),
    [
        ("1.27.4", AWAY, "no h1 is known for the toolchain module: 1.27.4 s390x. None is bundled, and: the checksum database cannot be reached: timeout"),
        ("1.27.4", UNKNOWN, "no toolchain module of this release is on record: 1.27.4 s390x. the checksum database does not know"),
        (
            "1.99.0",
            UNKNOWN,
            "no toolchain module of this release is on record: 1.99.0 s390x. no such Go release is known: 1.99.0. The nearest is 1.27.4, the newest 1.27.4.",
        ),
    ],
)
def test_module_zips_without_authority(version: str, answer: Exception, message: str) -> None:
    with pytest.raises(authority.NoAuthority) as refused:
        authority.digests(version, "s390x", "zip", {}, KNOWN, Asked(answer))  # type: ignore[arg-type]
    assert str(refused.value).startswith(message)


def test_a_bad_answer_is_refused_though_the_h1_is_bundled() -> None:
    with pytest.raises(tlog.BadAnswer):
        authority.digests("1.27.4", "amd64", "zip", {}, KNOWN, Asked(tlog.BadAnswer("forged")))  # type: ignore[arg-type]


def test_no_h1_is_taken_from_the_database_when_it_says_there_is_none() -> None:
    with pytest.raises(authority.NoAuthority):
        authority.digests("1.27.4", "amd64", "zip", {}, KNOWN, Asked(UNKNOWN))  # type: ignore[arg-type]


def test_checksums() -> None:
    found = authority.checksums({"go1.27.3": {"amd64": [f"sha256:{HEX.upper()}", H1]}, "1.27.3": {"amd64": (MINE,), "arm64": [H1]}, "1.20": {"386": [H1]}})
    assert found == {("1.27.3", "amd64"): (f"sha256:{HEX}", H1, MINE), ("1.27.3", "arm64"): (H1,), ("1.20", "386"): (H1,)}
    assert authority.checksums(None) == authority.checksums({}) == {}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ([], None),
        (["x"], "must map versions"),
        ({1.27: {"amd64": [H1]}}, "not an exact Go version: 1.27. Write it in quotes"),
        ({"1.27": {"amd64": [H1]}}, "not an exact Go version: '1.27'"),
        ({"stable": {"amd64": [H1]}}, "not an exact Go version"),
        ({"1.27.3": [H1]}, "must map architectures"),
        ({"1.27.3": {"arm": [H1]}}, "not an architecture of Go's downloads: 'arm' of 1.27.3. It is one of 386, amd64"),
        ({"1.27.3": {"amd64": H1}}, "must list digests: 1.27.3 amd64"),
        ({"1.27.3": {"amd64": []}}, "must list digests"),
        ({"1.27.3": {"amd64": [HEX]}}, "not a digest"),
        ({"1.27.3": {"amd64": ["sha256:abc"]}}, "not a digest: 'sha256:abc' of 1.27.3 amd64"),
        ({"1.27.3": {"amd64": ["h1:abc"]}}, "not a digest"),
        ({"1.27.3": {"amd64": ["h1:ä"]}}, "not a digest"),
        ({"1.27.3": {"amd64": ["md5:abc"]}}, "not a digest"),
        ({"1.27.3": {"amd64": [None]}}, "not a digest"),
    ],
)
def test_checksums_that_are_wrong(option: Any, message: str | None) -> None:
    if message is None:
        assert authority.checksums(option) == {}
        return
    with pytest.raises(GoHostError, match=message):
        authority.checksums(option)


def test_the_room_is_used_as_documented(tmp_path: Path) -> None:
    """All parts together, without a network: the bundled h1 serves, the archive's digest is the bundled index's."""

    def get(url: str) -> bytes:
        raise GoHostError("no network", url)

    database = sumdb.SumDB(get, tmp_path)
    assert authority.digests("1.27.4", "amd64", "zip", {}, KNOWN, database).authority == "bundled h1"
    with pytest.raises(authority.NoAuthority, match="no network"):
        authority.digests("1.27.1", "amd64", "zip", {}, KNOWN, database)
