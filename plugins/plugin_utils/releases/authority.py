# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what an archive must be. Without that nothing is installed."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from ...module_utils.errors import GoHostError
from ...module_utils.toolchain.model import ARCHES, module_version, parse_version
from . import resolve
from .model import Digests, Index
from .official import Official
from .sumdb import MODULE, NotRecorded, SumDB, Unreachable

# (version, arch) → digests as the user wrote them, "sha256:<hex>" and "h1:<base64>".
Checksums = Mapping[tuple[str, str], tuple[str, ...]]


class NoAuthority(GoHostError):
    """Nobody whom we believe knows the archive's digest."""


def checksums(option: Any) -> Checksums:
    """The option `checksums`, {"1.27.3": {"amd64": ["sha256:…", "h1:…"]}}, checked. GoHostError says what in it is wrong."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for written, of in _mapping(option or {}, "checksums must map versions to architectures", "checksums").items():
        version = parse_version(written) if isinstance(written, str) else None
        if version is None or str(version) != written.removeprefix("go"):  # "1.27" names a line, whose releases have a digest each
            raise GoHostError("checksums: not an exact Go version", repr(written), 'Write it in quotes: "1.27.3".')
        for arch, digests in _mapping(of, "checksums must map architectures to lists of digests", written).items():
            if arch not in ARCHES:
                raise GoHostError("checksums: not an architecture of Go's downloads", f"{arch!r} of {written}", f"It is one of {', '.join(ARCHES)}.")
            if not isinstance(digests, (list, tuple)) or not digests:
                raise GoHostError("checksums must list digests", f"{written} {arch}", 'Write ["sha256:…"] or ["sha256:…", "h1:…"].')
            found[str(version), arch] = (*found.get((str(version), arch), ()), *(_digest(one, f"{written} {arch}") for one in digests))
    return found


def digests(
    version: str,
    arch: str,
    archive_format: str,
    user: Checksums,
    index: Index,
    sumdb: SumDB | None = None,
    official: Callable[[], Official] | None = None,
) -> Digests:
    """What the archive of this format ("tar.gz": the official one, "zip": the toolchain module) must match, and who says so.

    NoAuthority with the reason when nobody does; tlog.BadAnswer when the checksum database is not to be trusted. `sumdb` and
    `official` are asked only when it comes to them; None: there is no way to ask.
    """
    kind = "sha256:" if archive_format == "tar.gz" else "h1:"
    mine = tuple(digest for digest in user.get((version, arch), ()) if digest.startswith(kind))
    if mine:
        return Digests(mine, "user")
    if archive_format == "tar.gz":
        return _of_archive(version, arch, index, official)
    return _of_module(version, arch, index, sumdb)


def _of_archive(version: str, arch: str, index: Index, official: Callable[[], Official] | None) -> Digests:
    if (version, arch) in index.sha256:
        return Digests((f"sha256:{index.sha256[version, arch]}",), "bundled index")
    reason = "the official list was not asked"
    if official is not None:
        try:
            seen = official()
        except GoHostError as error:
            reason = str(error)
        else:
            if (version, arch) in seen.sha256:
                return Digests((f"sha256:{seen.sha256[version, arch]}",), "official JSON")
            reason = "the official list does not have it"
    raise NoAuthority("no sha256 is known for the official archive", f"{version} {arch}", f"The bundled index has none, and: {reason}")


def _of_module(version: str, arch: str, index: Index, sumdb: SumDB | None) -> Digests:
    reason = "the checksum database was not asked"
    if sumdb is not None:
        try:
            return Digests((sumdb.lookup(MODULE, module_version(version, arch)),), "checksum database")
        except NotRecorded as error:
            reason = str(error) if version in index.releases else str(resolve.unknown(version, index))
            raise NoAuthority("no toolchain module of this release is on record", f"{version} {arch}", reason) from error
        except Unreachable as error:
            reason = str(error)
    if (version, arch) in index.h1:
        return Digests((index.h1[version, arch],), "bundled h1")
    raise NoAuthority("no h1 is known for the toolchain module", f"{version} {arch}", f"None is bundled, and: {reason}")


def _mapping(value: Any, what: str, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise GoHostError(what, f"{where}: {value!r}", 'For example {"1.27.3": {"amd64": ["sha256:…"]}}.')
    return value


def _digest(text: Any, where: str) -> str:
    if isinstance(text, str):
        if re.fullmatch(r"sha256:[0-9A-Fa-f]{64}", text):
            return text.lower()
        try:
            if text.startswith("h1:") and len(base64.b64decode(text[3:], validate=True)) == 32:
                return text
        except (binascii.Error, ValueError):
            pass
    raise GoHostError("checksums: not a digest", f"{text!r} of {where}", "It is sha256: with 64 hexadecimal digits, or h1: as in go.sum.")
