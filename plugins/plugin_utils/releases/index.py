# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled index, which tools/make_index.py makes."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ...module_utils.toolchain.model import parse_version
from .model import Index, Line


@lru_cache(maxsize=1)
def load() -> Index:
    """The index that came with the collection."""
    data = json.loads(Path(__file__).with_name("index.json").read_text(encoding="ascii"))
    return Index(
        releases=data["releases"],
        lines={name: Line(*dates) for name, dates in data["lines"].items()},
        sha256={(version, arch): digest for version, of in data["sha256"].items() for arch, digest in of.items()},
        h1={(version, arch): digest for version, of in data["h1"].items() for arch, digest in of.items()},
    )


def extended(index: Index, versions: Iterable[str]) -> Index:
    """The index and final releases heard of elsewhere; what is no final release is left out."""
    found: dict[str, str | None] = {}
    for text in versions:
        version = parse_version(text)
        if version is not None and version.stage == 2:
            found[str(version)] = None
    return index._replace(releases={**found, **index.releases})
