# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build information of Go programs, text → records. Pure."""

import re
from typing import List, Optional, Tuple

from .model import BuildInfo, Module

_RELEASE = re.compile(r"(?:devel )?go(\d{1,4})\.(\d{1,4})(?![0-9])", re.ASCII)
# golang/go:src/strconv/quote.go; what strconv.Quote may write for a value of the build.
_ESCAPE = re.compile(r'\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))')
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`\n]*`')


def release(version: str) -> Optional[Tuple[int, int]]:
    """The release line of a toolchain's version, (1, 27) of "go1.27.4 X:jsonv2"; a build between releases counts as the one it leads to."""
    found = _RELEASE.match(version)
    return (int(found.group(1)), int(found.group(2))) if found else None


def modinfo(blob: bytes) -> str:
    """Module information without the 16 bytes that mark each end of it in the program; "" where there is none.

    golang/go:src/debug/buildinfo/buildinfo.go (readRawBuildInfo).
    """
    if len(blob) < 33 or blob[-17:-16] != b"\n":
        return ""
    return blob[16:-16].decode("utf-8", "replace")


def build_info(version: str, text: str) -> BuildInfo:
    """The lines of module information; one that is none of those that Go writes is left out (golang/go:src/runtime/debug/mod.go)."""
    path = last = ""
    main: Optional[Module] = None
    deps: List[Module] = []
    settings: List[Tuple[str, str]] = []
    for line in text.split("\n"):
        word, _tab, rest = line.partition("\t")
        columns = rest.split("\t")
        if word == "path":
            path = rest
        elif word in ("mod", "dep") and len(columns) in (2, 3):
            module, last = Module(*columns), word
            if word == "mod":
                main = module
            else:
                deps.append(module)
        elif word == "=>" and len(columns) == 3 and last:
            replacement = f"{columns[0]} {columns[1]}".rstrip()
            if last == "dep":
                deps[-1] = deps[-1]._replace(replacement=replacement)
            elif main is not None:
                main = main._replace(replacement=replacement)
            last = ""
        elif word == "build":
            setting = _setting(rest)
            if setting is not None:
                settings.append(setting)
    return BuildInfo(version, path, main, tuple(deps), tuple(settings))


def _setting(text: str) -> Optional[Tuple[str, str]]:
    quoted = _QUOTED.match(text)
    if quoted:
        key, sign, value = _unquoted(quoted.group()), text[quoted.end() : quoted.end() + 1], text[quoted.end() + 1 :]
    else:
        key, sign, value = text.partition("=")
    if sign != "=" or not key:
        return None
    if value[:1] in ('"', "`"):
        whole = _QUOTED.match(value)
        if whole is None or whole.end() != len(value):
            return None
        value = _unquoted(value)
    return key, value


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return _ESCAPE.sub(_character, text[1:-1])


def _character(found: "re.Match[str]") -> str:
    plain, octal = found.group(1), found.group(5)
    if plain:
        return _PLAIN[plain]
    code = int(octal, 8) if octal else int(found.group(2) or found.group(3) or found.group(4), 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
