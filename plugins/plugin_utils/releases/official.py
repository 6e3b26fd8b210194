# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What go.dev and module proxies say about which releases there are."""

import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ...module_utils.errors import GoHostError
from ...module_utils.toolchain.model import ARCHES, archive_name, parse_version
from . import index as bundled
from .cache import private_dir, turn, write_atomically
from .goproxy import split_credentials
from .model import Index

JSON_URL = "https://go.dev/dl/?mode=json&include=all"
_LISTED = re.compile(r"v0\.0\.1-go(\S+)\.linux-[a-z0-9]+")


class Official(NamedTuple):
    """The official list: every version, and the sha256 (hex) of the Linux archives by (version, arch)."""

    versions: frozenset[str]
    sha256: dict[tuple[str, str], str]


def parse_json(data: bytes, origin: str = "go.dev") -> Official:
    """The answer of JSON_URL. GoHostError when it is something else."""
    _refuse_page(data, origin)
    try:
        releases = json.loads(data.decode("utf-8-sig"))
        official = Official(frozenset(), {})
        versions = set()
        for release in releases:
            version = parse_version(release["version"])
            if version is None:
                continue
            versions.add(str(version))
            for file in release["files"]:
                arch, digest = file["arch"], file["sha256"]
                linux = file["os"] == "linux" and file["kind"] == "archive" and arch in ARCHES and file["filename"] == archive_name(str(version), arch)
                if linux and re.fullmatch(r"[0-9a-f]{64}", digest):
                    official.sha256[str(version), arch] = digest
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise GoHostError("the list of releases is not in the official format", origin, f"{type(error).__name__}: {error}") from error
    if not versions:
        raise GoHostError("the list of releases is empty", origin)
    return official._replace(versions=frozenset(versions))


def parse_list(data: bytes, origin: str = "the module proxy") -> frozenset[str]:
    """The versions in a proxy's answer to golang.org/toolchain/@v/list that exist for Linux."""
    _refuse_page(data, origin)
    found = (_LISTED.fullmatch(line.split(" ")[0].strip()) for line in data.decode("utf-8", "replace").splitlines())
    versions = (parse_version(match.group(1)) for match in found if match is not None)
    return frozenset(str(version) for version in versions if version is not None)


class Live:
    """The official list, fetched when it is first asked for and then shared by all processes for `max_age` seconds; asked for once."""

    def __init__(self, get: Callable[[str], bytes], cache_dir: Path, max_age: float = 600) -> None:
        self._get, self._file, self._max_age = get, cache_dir / "official.json", max_age
        self._seen: Official | None = None
        self._failed: GoHostError | None = None

    def __call__(self) -> Official:
        """GoHostError when go.dev does not answer, or answers something else."""
        if self._failed is not None:
            raise self._failed
        if self._seen is None:
            try:
                with turn(private_dir(self._file.parent) / "official.lock", JSON_URL):
                    self._seen = self._kept() or self._fetched()
            except GoHostError as error:
                self._failed = error
                raise
            except OSError as error:
                raise GoHostError("cannot keep the official list of releases", self._file, error.strerror) from error
        return self._seen

    def _kept(self) -> Official | None:
        try:
            if not 0 <= time.time() - self._file.stat().st_mtime < self._max_age:
                return None
            return parse_json(self._file.read_bytes())
        except (FileNotFoundError, GoHostError):
            return None

    def _fetched(self) -> Official:
        data = self._get(JSON_URL)
        seen = parse_json(data)
        write_atomically(self._file, data)
        return seen


def check_latest(index: Index, get: Callable[[str], bytes], proxies: Iterable[str], official: Callable[[], Official] | None) -> Index:
    """The index and what the first source that answers knows beyond it: the official list (None: not asked), then the proxies.

    `proxies` are base URLs. GoHostError when nobody answers.
    """
    failures = []
    if official is not None:
        try:
            return bundled.extended(index, official().versions)
        except GoHostError as error:
            failures.append(str(error))
    for proxy in proxies:
        shown = split_credentials(proxy)[0]
        try:
            return bundled.extended(index, parse_list(get(f"{proxy}/golang.org/toolchain/@v/list"), shown))
        except GoHostError as error:
            failures.append(str(error))
    raise GoHostError(
        "check_latest: no source says which Go is the newest", "; ".join(failures) or "there is none to ask", "Leave it out to use the bundled index."
    )


def _refuse_page(data: bytes, origin: str) -> None:
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise GoHostError("a web page came instead of the list of releases", origin, "Is a proxy or a login page in between?")
