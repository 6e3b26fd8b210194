# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files beside a policy store, and what its compiler says, as records. Pure."""

import functools
import json
import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..errors import GoHostError
from .model import FTYPES, Equivalence, Fcontext, FcontextKey, Pending, PolicyModule

_FLAGS = {ftype.flag: letter for letter, ftype in FTYPES.items()}
_META = ".^$?*+|[({"  # what libselinux takes for the beginning of an expression (libselinux/src/label_file.h)
# Where CIL's messages say that something is: "… at PATH:LINE" and "… at line LINE of PATH" (libsepol/cil/src/cil_tree.c, cil_parser.c).
_AT = re.compile(
    r"at \S*/modules/(?P<priority>\d+)/(?P<name>[^/\s]+)/cil:(?P<line>\d+)|at line (?P<line2>\d+) of \S*/modules/(?P<priority2>\d+)/(?P<name2>[^/\s]+)/cil"
)
# What libsemanage says on its way out, and errno's text that its handler adds to whatever is said.
_NOISE = re.compile(r"Failed to (resolve|compile|build|verify|parse) (AST|ast|cildb|policydb)\b|libsemanage\.(semanage|dbase)_\w+: ")
_ERRNO = re.compile(r" \((No such file or directory|Invalid argument|Success)\)\.?$")
_BOOLEAN = re.compile(r"\(\s*boolean\s+([A-Za-z0-9_.-]+)\s")
_SAID = 4  # lines of a compiler's message that an error names
# What /etc/os-release calls a family of distributions → the package with `import semanage` for the system's Python.
_BINDINGS = {
    "debian": "python3-semanage",
    "ubuntu": "python3-semanage",
    "suse": "python3-semanage",
    "opensuse": "python3-semanage",
    "sles": "python3-semanage",
    "fedora": "python3-libsemanage",
    "rhel": "python3-libsemanage",
    "centos": "python3-libsemanage",
    "amzn": "python3-libsemanage",
}


def settings(text: str) -> Dict[str, str]:
    """The NAME=value lines of /etc/selinux/config, semanage.conf and /etc/os-release; later ones win, quotes are taken off."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in pairs if equals}


def bindings_package(os_release: str) -> str:
    """The package that brings the bindings to libsemanage; "" where this distribution is known to have none."""
    found = settings(os_release)
    names = [found.get("ID", ""), *found.get("ID_LIKE", "").split()]
    return next((_BINDINGS[name.partition("-")[0]] for name in names if name.partition("-")[0] in _BINDINGS), "")


@functools.lru_cache(maxsize=None)  # every rule is held against every other one
def literal(target: str) -> Tuple[str, int]:
    """How every path begins that an expression matches, and the expression's length up to there."""
    found, place = [], 0
    while place < len(target) and target[place] not in _META:
        step = 2 if target[place] == "\\" and place + 1 < len(target) else 1
        following = target[place + step : place + step + 1]
        if following and following in "?*{":  # this character may be missing
            break
        found.append(target[place + step - 1])
        place += step
    return "".join(found), place


def plain(target: str) -> bool:
    """Whether it matches one path only: libselinux prefers such rules to all expressions."""
    return literal(target)[1] == len(target)


@functools.lru_cache(maxsize=None)
def below(target: str) -> Optional[str]:
    """The directory D of an expression such as D(/.*)? or D/.* that matches all below it; None for any other."""
    for ending in ("(/.*)?", "/.*", "(/.*)*", "(/.*)"):
        if target.endswith(ending) and plain(target[: -len(ending)]):
            return literal(target[: -len(ending)])[0]
    return None


def under(path: str, directory: str) -> bool:
    return path == directory or directory == "/" or path.startswith(directory.rstrip("/") + "/")


def equivalences(text: str) -> List[Equivalence]:
    """The lines of file_contexts.subs, in the order in which libselinux tries them: the last line first (libselinux/src/label_file.c)."""
    fields = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [Equivalence(words[0], words[1]) for words in fields if len(words) > 1][::-1]


def changed_equivalences(text: str, wished: Mapping[str, Optional[str]]) -> str:
    """file_contexts.subs with these paths changed in their place, added at the end, or (None) removed; other lines stay as they are."""
    lines, left = [], dict(wished)
    for line in text.splitlines():
        words = line.split()
        path = words[0] if len(words) > 1 and not words[0].startswith("#") else ""
        if path not in wished:
            lines.append(line)
        elif left.get(path) is not None:
            lines.append(f"{path} {left.pop(path)}")
    lines += [f"{path} {source}" for path, source in left.items() if source is not None]
    return "".join(line + "\n" for line in lines)


def substituted(target: str, local: Iterable[Equivalence], distribution: Iterable[Equivalence]) -> str:
    """The target as rules must write it, because files below an equivalence are looked up by its source: first local ones, then the distribution's."""
    for table in (local, distribution):
        for path, source in table:
            if path == source:
                continue
            text, length = literal(target)
            rest = text[len(path) :]
            # D(/.*)? stands for D and all below it, though a group follows the literal part.
            boundary = rest.startswith("/") or (not rest and (length == len(target) or target[length:].startswith("(/")))
            if text.startswith(path) and boundary:
                kept = target[_length_of(target, len(path)) :]
                target = ("" if source == "/" and kept.startswith("/") else re.sub(r"([.^$?*+|\[({\\])", r"\\\1", source)) + kept
                break
    return target


def _length_of(target: str, characters: int) -> int:
    """How much of an expression makes so many literal characters."""
    place = 0
    for _number in range(characters):
        place += 2 if target[place] == "\\" else 1
    return place


def file_contexts(text: str) -> Dict[FcontextKey, str]:
    """(target, ftype) → context of every line of a file_contexts."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) in (2, 3) and not words[0].startswith("#"):
            flag = words[1] if len(words) == 3 else ""
            if flag in _FLAGS:
                found[words[0], _FLAGS[flag]] = words[-1]
    return found


def declared_booleans(texts: Iterable[str]) -> List[str]:
    """Names of the booleans that modules in CIL declare."""
    return [name for cil in texts for name in _BOOLEAN.findall(cil)]


def has_levels(text: str) -> Optional[bool]:
    """Whether the contexts in a file_contexts have levels; None where it holds no context."""
    contexts = (line.split()[-1] for line in text.splitlines() if line and not line.startswith("#") and not line.endswith(">>"))
    first = next(contexts, "")
    return first.count(":") > 2 if first.count(":") > 1 else None


def parse_pending(text: bytes, path: str) -> Pending:
    try:
        data = json.loads(text.decode())
        return Pending(tuple(Fcontext(*record) for record in data["fcontexts"]), tuple(Equivalence(*record) for record in data["equivalences"]))
    except (ValueError, KeyError, TypeError) as error:
        raise GoHostError(
            "the list of files that wait for labels cannot be read", path, f"Remove it and run restorecon where it matters ({error!r})."
        ) from None


def render_pending(pending: Pending) -> bytes:
    return (json.dumps(pending._asdict(), indent=1) + "\n").encode()


class Complaint(NamedTuple):
    """What a failed commit said. where: the line of a wished module that it means, with its text; "" where it means none."""

    text: str
    where: str


def complaint(said: str, modules: Iterable[PolicyModule]) -> Complaint:
    """libsemanage's and its helpers' messages without what only says that something failed, and the CIL that they mean."""
    known = {(module.name, module.priority): module.cil.splitlines() for module in modules}
    lines = [_ERRNO.sub("", line.strip()) for line in said.splitlines() if line.strip()]
    where = ""
    for line in lines:
        for found in _AT.finditer(line):
            key = (found.group("name") or found.group("name2"), int(found.group("priority") or found.group("priority2")))
            number = int(found.group("line") or found.group("line2"))
            if not where and key in known and 0 < number <= len(known[key]):
                where = f"line {number} of module {key[0]}: {known[key][number - 1].strip()}"
    telling = [line for line in lines if not _NOISE.match(line)] or lines
    return Complaint(" | ".join(telling[:_SAID]), where)
