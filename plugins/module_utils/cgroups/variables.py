# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Go runtime's variables in the environment that systemd gives a program. Pure.

Which source wins: systemd.exec(5), "Environment Variables in Spawned Processes". Words: systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers".
What these leave open was seen of systemd 247 and 252.
"""

import re
import sys
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from .model import Manager
from .parse import GO_VARIABLES

_PLAIN = re.compile(r"[^ \t\r\n]+")
_QUOTING = set("\"'\\")
# Of these few are ever needed, so that they are compiled by who needs them.
_ESCAPE = r"""\\(?:([abfnrtvs\\"'])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"""
_LETTERS = dict(zip("abfnrtvs\\\"'", "\a\b\f\n\r\t\v \\\"'"))
_BYTES = 0xDC00  # what Python adds to a byte that is no UTF-8 ("surrogateescape")
_BROKEN = "[\ud800-\udfff]"
_SPECIFIER = "%([0-9a-zA-Z%])"
_OF_HOST = set("abdghlmoqrstuvwyABCDEGHLMRSTUVWY")  # specifiers that say nothing of the unit's name
_QUOTED = r"""'([^']*)'?|"((?:[^"\\]|\\.)*)\\?"?"""
_ENTRY = r"""[#;]{}|([^ \t\r\n][^=\n\r]*)(?:=[ \t]*((?:(?:'[^']*'?|"(?:[^"\\]|\\.)*\\?"?)[ \t]*)*)((?:[^\\\n\r]|\\.)*\\?))?"""
_CONTINUED, _ENDED = r"(?:[^\\\n\r]|\\.)*", r"[^\n\r]*"
_COMMENTS_END = 254  # before, a backslash at the end of a comment made the next line one, too


def merged(manager: Manager, passed: Iterable[str], own: Mapping[str, str], files: Mapping[str, str]) -> Dict[str, str]:
    """What a program is given before something of it is unset. passed, own, files: by PassEnvironment=, Environment= and EnvironmentFile=."""
    return {**manager.environment, **{name: manager.own[name] for name in passed if name in manager.own}, **own, **files}


def kept(given: Mapping[str, str], unset: Iterable[str]) -> Dict[str, str]:
    """What is left by UnsetEnvironment=, which has names and whole assignments."""
    gone = set(unset)
    return {name: value for name, value in given.items() if not gone & {name, f"{name}={value}"}}


def assigned(some: Iterable[str]) -> Dict[str, str]:
    """The variables among words; the last of a name counts."""
    pairs = (word.partition("=") for word in some)
    return {name: value for name, sign, value in pairs if sign and name in GO_VARIABLES}


def words(value: str, printed: bool = False) -> List[str]:
    """A value of several words, some of them quoted; of a line that is wrong those before the mistake, as systemd takes it.

    printed: as `systemctl show` prints it, which has more escapes than systemd reads.
    """
    if not _QUOTING & set(value):
        return _PLAIN.findall(value)
    found: List[str] = []
    word: Optional[str] = None
    quote, at = "", 0
    while at < len(value):
        letter, size = value[at], 1
        if letter == "\\":
            escape = re.compile(_ESCAPE).match(value, at)
            character = value[at + 1 : at + 2] if printed and value[at + 1 : at + 2] in ("$", "`") else _character(escape.groups()) if escape else ""
            if not character:
                return found
            word, size = (word or "") + character, len(escape.group()) if escape else 2
        elif letter == quote:
            quote = ""
        elif not quote and letter in "\"'":
            quote, word = letter, word or ""
        elif quote or letter not in " \t\r\n":
            word = (word or "") + letter
        elif word is not None:
            found.append(word)
            word = None
        at += size
    return found if quote or word is None else [*found, word]


def _character(parts: Sequence[Optional[str]]) -> str:
    """Of an escape; "" where systemd takes none."""
    letter, *numbers = parts
    if letter:
        return _LETTERS[letter]
    number = next(int(each, base) for each, base in zip(numbers, (16, 8, 16, 16)) if each)
    single = bool(numbers[0] or numbers[1])
    return "" if not 0 < number <= sys.maxunicode else chr(number + _BYTES if single and number > 127 else number)


def resolved(value: str, unit: str) -> List[str]:
    """The words of a value in a unit's file; systemd leaves those out that have specifiers which it does not know, or bytes that are no UTF-8.

    Specifiers of the host, such as %H, stay as they are: none of them is a number that Go would take, but for curious uses.
    """
    found = (specified(word, unit) if "%" in word else word for word in words(value))
    whole = (word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for word in found if word is not None)
    return [word for word in whole if not re.search(_BROKEN, word)]


def specified(word: str, unit: str) -> Optional[str]:
    """A word with the specifiers that a unit's name fills (systemd.unit(5)), those of the host as they are; None with one that there is not."""
    stem = unit.rpartition(".")[0]
    prefix, _sign, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    known = {"n": unit, "N": stem, "p": prefix, "i": instance, "j": last, "P": _name(prefix), "I": _name(instance), "J": _name(last), "%": "%"}
    known.update({each: f"%{each}" for each in _OF_HOST}, f=f"/{_name(instance or prefix)}")
    names = re.findall(_SPECIFIER, word)
    return re.sub(_SPECIFIER, lambda found: known[found.group(1)], word) if set(names) <= set(known) else None


def _name(escaped: str) -> str:
    """A part of a unit's name without its escapes (systemd-escape(1))."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found.group(1), 16)), escaped.replace("-", "/"))


def environment_file(text: str, systemd: int) -> Dict[str, str]:
    """The variables in a file of EnvironmentFile= (systemd.exec(5)). systemd: its version.

    None of them where a line is no UTF-8: then systemd does not start the program, or does without this file.
    """
    found: Dict[str, str] = {}
    for entry in re.finditer(_ENTRY.format(_ENDED if systemd >= _COMMENTS_END else _CONTINUED), text, re.DOTALL):
        name, quoted, rest = entry.groups()
        if quoted is not None and re.search(_BROKEN, entry.group()):
            return {}
        if quoted is not None and name.rstrip(" \t") in GO_VARIABLES:
            parts = (single + _unescaped(double) for single, double in re.findall(_QUOTED, quoted, re.DOTALL))
            found[name.rstrip(" \t")] = "".join(parts) + _bare(rest)
    return found


def _unescaped(text: str) -> str:
    """A value in double quotes, in which few characters have escapes."""
    return re.sub(r"\\(?:([\"\\`$])|\n)", lambda escape: escape.group(1) or "", text)


def _bare(text: str) -> str:
    """A value without quotes, whose backslashes keep what comes behind them, but for the end of a line."""
    pieces = re.findall(r"\\.|\\\Z|[^\\]+", text, re.DOTALL)
    if pieces and pieces[-1][0] != "\\":
        pieces[-1] = pieces[-1].rstrip(" \t")
    return "".join(each if each[0] != "\\" else each[1:].strip("\r\n") for each in pieces)
