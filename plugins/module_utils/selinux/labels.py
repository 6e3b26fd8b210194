# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels: the port to the security contexts of files. What it lists is what it sets, so that a plan can be kept to the letter."""

import abc
import contextlib
import errno
import os
import re
import tempfile
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..errors import GoHostError
from .file_contexts import Stem, reached, stem
from .libselinux import Complaint, Libselinux
from .model import FTYPES, Equivalence, Fcontext
from .parse import equivalences, under

_ATTRIBUTE = "security.selinux"
_NEVER = ("/proc", "/sys")
_MOST_LINKS = 40  # as the kernel


class Relabel(NamedTuple):
    """A file and its context before and after, "" where it has none. path: as this process sees it, with the root before it."""

    path: str
    old: str
    new: str


class Rules(NamedTuple):
    """Whole texts of the policy's files that are to count instead of those installed; None: as installed."""

    policy: Optional[str] = None  # file_contexts
    local: Optional[str] = None  # file_contexts.local
    subs: Optional[str] = None  # file_contexts.subs


class Change(NamedTuple):
    """Every record that comes, goes or differs, in its old and its new form; targets as they are stored."""

    fcontexts: Sequence[Fcontext] = ()
    equivalences: Sequence[Equivalence] = ()


INSTALLED = Rules()


class Labels(abc.ABC):
    """The labels of one system's files."""

    @abc.abstractmethod
    def enabled(self) -> bool:
        """Whether labels are kept here: by a running SELinux, or for a system that is being built."""

    @abc.abstractmethod
    def check(self, records: Sequence[Fcontext]) -> None:
        """GoHostError where a target is no regular expression that libselinux can use."""

    @abc.abstractmethod
    def wrong(self, paths: Sequence[str], rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        """All below these paths that is labelled otherwise than by these rules, sorted by path.

        Other file systems, /proc and /sys are never entered; what is not there is passed over. Of a context only the type counts, and customizable types are
        left alone, as restorecon does it; with force all of it counts, always.
        """

    @abc.abstractmethod
    def affected(self, change: Change, rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        """The same for those files only that a changed record matches."""

    @abc.abstractmethod
    def apply(self, todo: Sequence[Relabel]) -> None:
        """Set exactly these. Files that are gone are passed over; of those that fail, after all others, the first is named."""


def merged(*lists: Iterable[Relabel]) -> List[Relabel]:
    """Each file once, sorted by path."""
    return sorted({relabel.path: relabel for found in lists for relabel in found}.values())


class LocalLabels(Labels):
    """By libselinux, which must be on this machine, and the attribute security.selinux, which any file system of a kernel without SELinux keeps as well.

    root: another directory than / is a system that is being built, labelled by its own policy.
    store: the policy's name, "" for the one that the system's configuration names.
    """

    def __init__(self, root: str = "/", store: str = "") -> None:
        self._root = os.path.realpath(root)
        self._prefix = self._root.rstrip("/")
        self._store = store
        self._library: Optional[Libselinux] = None

    def enabled(self) -> bool:
        return bool(self._prefix) or os.path.exists("/sys/fs/selinux/enforce")

    def check(self, records: Sequence[Fcontext]) -> None:
        if not records or not self._complaint(records):
            return
        for record in records:
            said = self._complaint([record])
            if said:
                said = said.rpartition(f"{record.target}: ")[2].strip(" )")
                raise GoHostError(f"libselinux cannot use this as a regular expression ({said})", record.target)

    def _complaint(self, records: Sequence[Fcontext]) -> str:
        """What the library says of a policy of these targets; "" when it takes it."""
        self._selinux()  # without it, nothing is wrong with the targets
        try:
            with self._only(records, "", "", validate=True):
                return ""
        except GoHostError as error:
            return error.what

    def wrong(self, paths: Sequence[str], rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        for path in paths:
            if not path.startswith("/"):
                raise GoHostError("a path to restore must be absolute", path)
            if _below(self._resolved(path), _NEVER):
                raise GoHostError("these files are the kernel's: their labels are not restored", path)
        return self._compared(paths, rules, force)

    def affected(self, change: Change, rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        distribution = equivalences(self._installed(".subs_dist"))
        local = equivalences(self._installed(".subs")) + equivalences(rules.subs or "")
        stems = {stem(record.target) for record in change.fcontexts}
        for aliases in (distribution, local):  # the reverse of a lookup, which goes through the administrator's first
            stems.update([alias for known in tuple(stems) for alias in reached(known, aliases)])
        moved = [equivalence.path for equivalence in change.equivalences]
        starts = [path for known in stems for path in self._beginning_with(known)] + moved
        found = self._compared([path for path in starts if not _below(path, _NEVER)], rules, force)
        under = [self._resolved(path) for path in moved]
        known = {relabel for relabel in found if _below(relabel.path[len(self._prefix) :], under)}
        if change.fcontexts and len(known) < len(found):
            with self._only(change.fcontexts, rules.subs) as policy:
                known.update(relabel for relabel in found if self._matches(policy, relabel.path))
        return sorted(known)

    def apply(self, todo: Sequence[Relabel]) -> None:
        failed: List[Tuple[Relabel, OSError]] = []
        for relabel in todo:
            try:
                _set(relabel.path, relabel.new)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                failed.append((relabel, error))
        if failed:
            first, why = failed[0]
            raise GoHostError(
                f"{len(failed)} of {len(todo)} labels could not be set, the first to {first.new} ({why.strerror})", first.path, _HINTS.get(why.errno or 0)
            )

    def _matches(self, policy: int, path: str) -> bool:
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return False
        return self._selinux().lookup(policy, path[len(self._prefix) :] or "/", mode) is not None

    def _selinux(self) -> Libselinux:
        if self._library is None:
            self._library = Libselinux()
        return self._library

    def _policy(self) -> str:
        """The directory of the policy."""
        name = self._store
        if not name:
            configured = re.search(r"^\s*SELINUXTYPE\s*=\s*(\S+)", _text(self._prefix + self._resolved("/etc/selinux/config")), re.MULTILINE)
            name = configured.group(1) if configured else "targeted"
        return f"{self._prefix}/etc/selinux/{name}"

    def _specification(self, suffix: str = "") -> str:
        return f"{self._policy()}/contexts/files/file_contexts{suffix}"

    def _installed(self, suffix: str) -> str:
        return _text(self._specification(suffix))

    @contextlib.contextmanager
    def _specified(self, texts: Dict[str, Optional[str]]) -> Iterator[str]:
        """A file_contexts to open: the installed one, or a private one with these texts instead, by suffix."""
        # What was compiled for another system's libselinux is not used.
        compiled = ("", ".bin") if not self._prefix else ("",)
        if compiled[1:] and not any(text is not None for text in texts.values()):
            yield self._specification()
            return
        with tempfile.TemporaryDirectory(prefix="gohost-labels-") as directory:
            own = os.path.join(directory, "file_contexts")
            for suffix in ("", ".homedirs", ".local", ".subs_dist", ".subs"):
                text = texts.get(suffix)
                if text is not None:
                    with open(own + suffix, "w", encoding="utf-8", errors="surrogateescape") as target:
                        target.write(text)
                    continue
                for name in [suffix + each for each in compiled]:
                    if os.path.exists(self._specification(name)):
                        os.symlink(self._specification(name), own + name)
            yield own

    @contextlib.contextmanager
    def _only(self, records: Sequence[Fcontext], subs: Optional[str], subs_dist: Optional[str] = None, validate: bool = False) -> Iterator[int]:
        """A policy that knows nothing but these targets, all with one context."""
        rows = "".join(f"{record.target} {FTYPES[record.ftype].flag} system_u:object_r:some_t:s0\n" for record in records)
        texts = {"": rows, ".homedirs": "", ".local": "", ".subs": subs, ".subs_dist": subs_dist}
        with contextlib.ExitStack() as stack:
            specification = stack.enter_context(self._specified(texts))
            yield stack.enter_context(self._selinux().policy(specification, validate))

    def _compared(self, paths: Iterable[str], rules: Rules, force: bool) -> List[Relabel]:
        starts = self._starts(paths)
        if not starts or not self.enabled():
            return []
        if not os.path.exists(self._specification()):
            raise GoHostError("there is no SELinux policy to label files by", self._specification(), "Install the distribution's policy package.")
        with self._specified({"": rules.policy, ".local": rules.local, ".subs": rules.subs}) as specification:
            found, complaints = self._selinux().compare(self._policy(), specification, self._prefix, starts, force)
        for complaint in complaints:
            if not _passed_over(complaint):
                raise GoHostError("labels could not be compared with the policy", complaint.text)
        return merged(Relabel(*difference) for difference in found)

    def _starts(self, paths: Iterable[str]) -> List[str]:
        """Where to begin walks that reach all of these, with the root before them."""
        there = sorted({(self._prefix + self._resolved(path)).rstrip("/") or "/" for path in paths})
        there = [path for path in there if os.path.lexists(path)]
        starts = set(there)
        return [path for path in there if not _walked_to(path, starts)]

    def _beginning_with(self, beginning: Stem) -> List[str]:
        if beginning.whole:
            return [beginning.path]
        directory, name = os.path.split(beginning.path)
        directory = directory or "/"
        if not name:
            return [directory]
        real = self._prefix + self._resolved(directory)
        try:
            device = os.stat(real).st_dev
            names = [each for each in os.listdir(real) if each.startswith(name) and os.lstat(os.path.join(real, each)).st_dev == device]
        except OSError:
            return []
        return [os.path.join(directory, each) for each in names]

    def _resolved(self, path: str) -> str:
        """The path without links in its parents, as the system below the root follows them. The last component is the file itself."""
        waiting = [name for name in reversed(path.split("/")) if name]
        done: List[str] = []
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                done = done[:-1]
            elif name != ".":
                here = "/".join([self._prefix, *done, name])
                if waiting and os.path.islink(here):
                    links += 1
                    if links > _MOST_LINKS:
                        raise GoHostError("too many links", path)
                    target = os.readlink(here)
                    done = [] if target.startswith("/") else done
                    waiting += [each for each in reversed(target.split("/")) if each]
                else:
                    done.append(name)
        return "/" + "/".join(done)


_HINTS = {
    errno.EINVAL: "The loaded policy does not know this context.",
    errno.EOPNOTSUPP: "This file system keeps no labels.",
    errno.ELOOP: "A link stands in its way now: run again.",
    errno.EPERM: "The file may be immutable (lsattr), or this user may not: use become.",
    errno.EACCES: "SELinux or this user's rights forbid it: use become.",
}


def _set(path: str, context: str) -> None:
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        itself = f"/proc/self/fd/{handle}"
        # Between listing and setting a user may have made one of the directories a link to where he has no rights.
        if os.readlink(itself) != path:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        os.setxattr(itself, _ATTRIBUTE, os.fsencode(context) + b"\0")
    finally:
        os.close(handle)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            return source.read()
    except FileNotFoundError:
        return ""


def _below(path: str, directories: Iterable[str]) -> bool:
    return any(under(path, directory) for directory in directories)


def _walked_to(path: str, starts: Set[str]) -> bool:
    """Whether a walk on one file system from one of these, another directory, comes to path."""
    device = os.lstat(path).st_dev
    while path != "/":
        path = os.path.dirname(path)
        if os.lstat(path).st_dev != device:
            return False
        if path in starts:
            return True
    return False


def _passed_over(complaint: Complaint) -> bool:
    """A file that went away meanwhile, or the foot of another file system that this user may not even look at."""
    if not complaint.path.startswith("/"):
        return False
    return not os.path.lexists(complaint.path) or complaint.path in _mounts()


def _mounts() -> Set[str]:
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as source:
        places = [row.split(" ")[1] for row in source]
    return {re.sub(r"\\([0-7]{3})", lambda code: chr(int(code.group(1), 8)), place) for place in places}
