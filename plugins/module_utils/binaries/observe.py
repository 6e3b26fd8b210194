# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build information of the programs on a host."""

from typing import Optional

from ..errors import GoHostError
from ..host import Host
from . import elf, parse
from .model import BuildInfo


def build_info(host: Host, path: str) -> Optional[BuildInfo]:
    """Of the program at a path; None where Go has not built it. Errors: OSError, and GoHostError where there is no file."""
    seen = host.stat(host.real(path))
    if seen is None or seen.kind != "file":
        raise GoHostError("there is no such program", path, "Give the path of an executable file.")
    return opened(host, path)


def opened(host: Host, path: str) -> Optional[BuildInfo]:
    """The same where it is known that there is a program: /proc/PID/exe, which is readable even when its file is gone."""
    with host.open(path) as source:

        def read(offset: int, size: int) -> bytes:
            if not 0 <= offset < 1 << 63:
                return b""
            source.seek(offset)
            return source.read(size)

        found = elf.build_info(read)
    return None if found is None else parse.build_info(found[0], parse.modinfo(found[1]))
