# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of releases: the index, life of a line, sources, digests."""

from collections.abc import Mapping
from typing import NamedTuple


class Line(NamedTuple):
    """A release line such as 1.26. Dates are ISO 8601; eol is None while nobody has announced it."""

    released: str | None
    eol: str | None


class Index(NamedTuple):
    """Which Go exists. Versions and architectures are written as in the names of downloads ("1.27.3", "armv6l")."""

    releases: Mapping[str, str | None]  # final releases → date; None: not known
    lines: Mapping[str, Line]
    sha256: Mapping[tuple[str, str], str]  # (version, arch) → hex digest of the official archive, stated by two sources
    h1: Mapping[tuple[str, str], str]  # (version, arch) → "h1:…" of the toolchain module


class Lifecycle(NamedTuple):
    """Whether a version still gets fixes, and from or until when (ISO 8601; None: not known)."""

    version: str
    line: str
    released: str | None
    supported: bool
    eol: str | None


class Proxy(NamedTuple):
    """One entry of GOPROXY. `fallback` says when the next one is asked: "always", or "not_found" (404 and 410 only)."""

    url: str
    fallback: str


class Source(NamedTuple):
    """One entry of the option `sources`, checked. Credentials are never part of the URL."""

    type: str
    url: str = ""
    path: str = ""
    username: str | None = None
    password: str | None = None


class Digests(NamedTuple):
    """What an archive must match (one of them) and who says so."""

    digests: tuple[str, ...]
    authority: str
