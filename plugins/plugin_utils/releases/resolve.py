# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks for → one exact version, and how long it lives. Pure."""

import datetime

from ...module_utils.errors import GoHostError
from ...module_utils.toolchain.model import GoVersion, parse_line, parse_version
from .model import Index, Lifecycle, Line

CHANNELS = ("stable", "oldstable")


def resolve(request: str, index: Index) -> str:
    """ "1.26", "stable", "oldstable", "1.27.3", "go1.28rc1" → the exact version.

    A line and a channel mean the newest patch the index knows, whatever the architecture. An exact version the index does not
    know is accepted as long as it can exist; whether it does is for the checksum database to say.
    GoHostError for anything else names the nearest and the newest.
    """
    if not isinstance(request, str):
        raise GoHostError("a Go version must be text", repr(request), 'Quote it: YAML reads 1.20 as the number 1.2, "1.20" as the version.')
    if request in CHANNELS:
        lines = sorted({(v.major, v.minor) for v in _finals(index)}, reverse=True)
        return str(_newest_of(lines[CHANNELS.index(request)], index))
    line = parse_line(request)
    if line is not None:
        newest = _newest_of(line, index)
        if newest is None:
            raise unknown(request, index)
        return str(newest)
    version = parse_version(request)
    if version is None:
        raise GoHostError("not a Go version", repr(request), f'Write an exact one ("1.27.3"), a line ("1.26"), {" or ".join(CHANNELS)}.')
    if not _possible(version, index):
        raise unknown(request, index)
    return str(version)


def unknown(version: str, index: Index) -> GoHostError:
    """The error for a version that does not exist: it names the nearest and the newest that do."""
    finals = _finals(index)
    asked = parse_version(version)
    hint = f"The newest is {finals[-1]}."
    if asked is not None:
        nearest = min(finals, key=lambda known: _distance(known, asked))
        hint = f"The nearest is {nearest}, the newest {finals[-1]}."
    return GoHostError("no such Go release is known", version, hint)


def lifecycle(version: str, index: Index, today: datetime.date) -> Lifecycle:
    """A line is supported until two newer ones exist (go.dev/doc/devel/release#policy)."""
    parsed = parse_version(version)
    if parsed is None:
        raise GoHostError("not a Go version", repr(version))
    line = index.lines.get(parsed.line, Line(None, None))
    newer = {(v.major, v.minor) for v in _finals(index) if (v.major, v.minor) > (parsed.major, parsed.minor)}
    supported = today.isoformat() < line.eol if line.eol is not None else len(newer) < 2
    return Lifecycle(str(parsed), parsed.line, line.released, supported, line.eol)


def _finals(index: Index) -> list[GoVersion]:
    return sorted(version for version in map(parse_version, index.releases) if version is not None and version.stage == 2)


def _newest_of(line: tuple[int, int], index: Index) -> GoVersion | None:
    return max((v for v in _finals(index) if (v.major, v.minor) == line), default=None)


def _possible(version: GoVersion, index: Index) -> bool:
    """Patches are numbered without gaps, and a line gets none after its end; lines older than the index are not ours to judge."""
    if version.major < 1:
        return False
    newest = _newest_of((version.major, version.minor), index)
    if newest is None or version <= newest:
        return True
    line = index.lines.get(version.line)
    return line is None or line.eol is None


def _distance(known: GoVersion, asked: GoVersion) -> tuple[int, int, int, int]:
    """Same line first, then the nearest patch; of another line its newest."""
    same = (known.major, known.minor) == (asked.major, asked.minor)
    return abs(known.major - asked.major), abs(known.minor - asked.minor), abs(known.number - asked.number) if same else 0, -known.number
