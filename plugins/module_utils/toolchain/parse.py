# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's own files and others' that name it, as records. Pure."""

import json
import re
from typing import List, Optional, Tuple

from ..errors import GoHostError
from .model import State

# The directives of systemd.service(5) and systemd.exec(5) that name a program or the directory it starts in.
_DIRECTIVE = re.compile(r"^\s*(Exec\w+|WorkingDirectory)\s*=\s*(.+?)\s*$")


def parse_state(text: bytes, path: str) -> State:
    try:
        data = json.loads(text.decode())
        return State(tuple(data["history"]), tuple(data["links"]), dict(data["saved"]), dict(data["go_env"]))
    except (ValueError, KeyError, TypeError) as error:
        raise GoHostError("the store's state cannot be read", path, f"Restore it, or remove it to forget links and history ({error!r}).") from None


def render_state(state: State) -> bytes:
    return (json.dumps(dict(state._asdict(), saved=dict(state.saved), go_env=dict(state.go_env), schema=1), indent=1, sort_keys=True) + "\n").encode()


def version_file(text: bytes) -> str:
    """The release that a tree's VERSION file states, without "go"; "" where it states none."""
    first = text.decode("utf-8", "replace").partition("\n")[0].strip()
    return first[len("go") :] if first.startswith("go") else ""


def unit_commands(text: str) -> List[Tuple[str, str]]:
    """(directive, value) of a systemd unit's programs and working directory, continued lines joined."""
    found = (_DIRECTIVE.match(line) for line in text.replace("\\\n", " ").splitlines())
    return [(match.group(1), match.group(2)) for match in found if match]


def names_path(value: str, path: str) -> bool:
    """Whether a unit's value names a path or something below it; systemd's prefixes, as in "-/usr/bin/x", may stand before it."""
    return re.search(r"(?<![\w./])" + re.escape(path) + r"(?![\w.-])", value) is not None


def package_of(output: str) -> Optional[str]:
    """The package in what dpkg-query -S, rpm -qf or apk info -qW print on success."""
    line = output.strip().splitlines()[0] if output.strip() else ""
    name = line.partition(": ")[0] if ": " in line else line
    return name or None
