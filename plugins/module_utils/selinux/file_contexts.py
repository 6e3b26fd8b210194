# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of file_contexts: its lines, where their paths begin, and what a module in CIL adds to them. Pure."""

import bisect
import posixpath
import re
from types import MappingProxyType
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union

from .model import FTYPES, NONE, Equivalence, Fcontext


def line(record: Fcontext) -> str:
    """As libsemanage writes it (fcontexts_file.c)."""
    return f"{record.target} {FTYPES[record.ftype].flag or '  '} {record.context or NONE}\n"


def text(records: Iterable[Fcontext]) -> str:
    return "".join(map(line, records))


class Stem(NamedTuple):
    """How every path begins that a target matches. whole: after it a path ends, or goes on with "/"."""

    path: str
    whole: bool


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)
_META = frozenset(".^$?*+|[](){}\\")
_BELOW = re.compile(r"(?:\((?:\?:)?/[^|()]*\)[?*]?)?\$?\Z")


def stem(target: str) -> Stem:
    """The literal beginning of a regular expression that is to match whole paths."""
    branches: List[List[str]] = [[]]
    depth = 0
    for token in _TOKEN.findall(target):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "|" and not depth:
            branches.append([])
        else:
            branches[-1].append(token)
    beginnings = [_beginning(branch[branch[:1] == ["^"] :]) for branch in branches]
    if len(beginnings) == 1:
        return beginnings[0]
    return Stem(posixpath.commonprefix([beginning.path for beginning in beginnings]), False)


def _beginning(tokens: Sequence[str]) -> Stem:
    path = ""
    for number, token in enumerate(tokens):
        escaped = len(token) == 2 and token[0] == "\\" and not token[1].isalnum()  # \d, \w, \b are no letters
        after = tokens[number + 1] if number + 1 < len(tokens) else ""
        if not (escaped or (len(token) == 1 and token not in _META)) or after in ("?", "*", "{"):
            return Stem(path, not path.endswith("/") and _BELOW.match("".join(tokens[number:])) is not None)
        path += token[-1]
        if after == "+":
            return Stem(path, False)
    return Stem(path, True)


def reached(beginning: Stem, aliases: Sequence[Equivalence]) -> List[Stem]:
    """Where else files are labelled by rules with this beginning: through equivalences."""
    found = []
    for alias in aliases:
        if beginning.path == alias.source or beginning.path.startswith(alias.source.rstrip("/") + "/"):
            found.append(Stem(alias.path + beginning.path[len(alias.source.rstrip("/")) :], beginning.whole))
        elif alias.source.startswith(beginning.path):
            found.append(Stem(alias.path, True))
    return found


_Tree = Union[str, List["_Tree"]]
_WORD = re.compile(r';[^\n]*|"([^"]*)"|([()])|([^\s()";]+)')
_KINDS = {"any": "a", "file": "f", "dir": "d", "char": "c", "block": "b", "socket": "s", "pipe": "p", "symlink": "l"}
_TEMPLATE = re.compile(r"HOME_DIR|HOME_ROOT|.*(?:ROLE|USER)")  # semanage_split_fc of libsemanage: become lines of file_contexts.homedirs
_Named = Mapping[Tuple[str, str], _Tree]


def filecons(cil: str) -> Tuple[List[Fcontext], List[str]]:
    """What the filecon statements of a module mean, and those statements that only the compiler can resolve (in blocks, macros, templates for homes).

    Statements in optional blocks are taken for granted.
    """
    statements = list(_statements(_parsed(cil), True))
    named: Dict[Tuple[str, str], _Tree] = {}
    for statement, _plain in statements:
        if len(statement) == 3 and isinstance(statement[0], str) and isinstance(statement[1], str):
            named[statement[0], statement[1]] = statement[2]
    records, unread = [], []
    for statement, plain in statements:
        if statement[0] == "filecon":
            try:
                if not plain:
                    raise LookupError
                records.append(_record(statement, named))
            except (LookupError, TypeError, ValueError):
                unread.append(_shown(statement))
    return records, unread


def _parsed(cil: str) -> List[_Tree]:
    stack: List[List[_Tree]] = [[]]
    for match in _WORD.finditer(cil):
        quoted, bracket, word = match.groups()
        if bracket == "(":
            stack.append([])
        elif bracket == ")":
            if len(stack) > 1:
                done = stack.pop()
                stack[-1].append(done)
        elif quoted is not None or word is not None:
            stack[-1].append(word if quoted is None else quoted)
    return stack[0]


def _statements(tree: Sequence[_Tree], plain: bool) -> Iterator[Tuple[List[_Tree], bool]]:
    """Every list with a head, and whether it stands at the top level or only in optional blocks."""
    for item in tree:
        if isinstance(item, list) and item:
            yield item, plain
            yield from _statements(item[1:], plain and item[0] == "optional")


def _record(statement: List[_Tree], named: _Named) -> Fcontext:
    _head, path, kind, context = statement
    if not isinstance(path, str) or not isinstance(kind, str) or _TEMPLATE.match(path):
        raise ValueError
    parts = _meant("context", context, named)
    if not parts:
        return Fcontext(path, _KINDS[kind], NONE, selevel="")
    user, role, setype, levels = parts
    if not isinstance(user, str) or not isinstance(setype, str) or role != "object_r":
        raise ValueError
    low, high = [_level(level, named) for level in _meant("levelrange", levels, named)]
    return Fcontext(path, _KINDS[kind], setype, user, low if low == high else f"{low}-{high}")


def _level(level: _Tree, named: _Named) -> str:
    sensitivity, *categories = _meant("level", level, named)
    if not isinstance(sensitivity, str):
        raise ValueError
    if not categories:
        return sensitivity
    (span,) = categories
    word, first, last = _meant("categoryset", span, named)
    if word != "range" or not isinstance(first, str) or not isinstance(last, str):
        raise ValueError
    return f"{sensitivity}:{first}.{last}"


def _meant(kind: str, tree: _Tree, named: _Named) -> List[_Tree]:
    """What a name of this kind stands for, or what is written in its place."""
    meaning = named[kind, tree] if isinstance(tree, str) else tree
    if isinstance(meaning, str):
        raise ValueError
    return meaning


def _shown(tree: _Tree) -> str:
    return tree if isinstance(tree, str) else "({})".format(" ".join(map(_shown, tree)))


_ORDER: Mapping[str, int] = MappingProxyType({flag: number for number, flag in enumerate(("", "--", "-d", "-c", "-b", "-s", "-p", "-l"))})


def _rank(row: str) -> Tuple[bool, int, int, int, str]:
    """What cil_post_filecon_compare of libsepol (3.5 and newer) sorts by; of rules that match, the last one counts."""
    path, *more = row.split()
    flag = more[0] if len(more) > 1 else ""
    plain = re.sub(r"\\.", "_", path)
    meta = re.search(r"[.^$?*+|\[({]", plain)
    return meta is None, meta.start() if meta else len(plain), len(plain), _ORDER.get(flag, 0), path


def policy_text(installed: str, added: Iterable[Fcontext], removed: Iterable[Fcontext]) -> str:
    """A policy's file_contexts as it will be when modules with these filecons come and go."""
    rows = [row for row in installed.splitlines() if row.split() and not row.startswith("#")]
    levels = any(row.count(":") > 2 for row in rows)

    def fields(record: Fcontext) -> List[str]:
        return line(record if levels else record._replace(selevel="")).split()

    gone = [fields(record) for record in removed]
    rows = [row for row in rows if row.split() not in gone]
    ranks = [_rank(row) for row in rows]
    for record in added:
        row = fields(record)
        if row not in map(str.split, rows):
            rank = _rank(" ".join(row))
            place = bisect.bisect_right(ranks, rank)
            ranks.insert(place, rank)
            rows.insert(place, "\t".join(row))
    return "".join(row + "\n" for row in rows)
