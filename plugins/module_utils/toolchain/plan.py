# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wished and what is seen to what must change. Pure."""

from typing import Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

from ..errors import GoHostError
from ..plan import Plan, Step
from .model import Layout, Seen, State, Wanted, aside_of, parse_line, parse_version

_NAMED = 10  # problems of a tree that an error names


class Decision(NamedTuple):
    """What a call will do. default: the default afterwards, "" for none; state: what the store remembers afterwards."""

    plan: Plan
    default: str
    state: State
    warnings: Tuple[str, ...] = ()

    @property
    def archives(self) -> List[str]:
        """Versions that must be fetched."""
        return [step.argument for step in self.plan.steps if step.action in ("install", "repair")]


def link_targets(wanted: Wanted, versions: Iterable[str], has_default: bool) -> Dict[str, str]:
    """The links that a wish asks for: path → target."""
    layout = Layout(wanted.root)
    links = {}
    if wanted.links:
        links.update({f"{wanted.links}/go{version}": f"{layout.tree(version)}/bin/go" for version in versions})
        if has_default:
            links.update({f"{wanted.links}/{name}": f"{layout.current}/bin/{name}" for name in ("go", "gofmt")})
    if wanted.compat_link and has_default:
        links[wanted.compat_link] = layout.current
    return links


def plan(wanted: Wanted, seen: Seen) -> Decision:
    layout = Layout(wanted.root)
    fetch = [] if wanted.absent else _fetch(layout, wanted, seen)
    removed, warnings = _removed(wanted, seen)
    remaining = [version for version in seen.trees if version not in removed]
    remaining += [step.argument for step in fetch if step.argument not in seen.trees]
    default = _default(wanted, seen, remaining)
    steps = fetch[:]
    if default and default != seen.default:
        steps.append(Step("default", layout.current, seen.default or None, default))
    ours = [version for version in remaining if version not in seen.trees or not seen.trees[version].foreign or wanted.repair]
    targets = link_targets(wanted, ours, bool(default)) if remaining else {}
    link_steps, saved = _links(wanted, seen, targets)
    steps += link_steps
    forget = seen.exists and not remaining
    if forget and seen.default:
        steps.append(Step("forget_default", layout.current, seen.default, None))
    steps += [Step("remove", layout.tree(version), version, None, version) for version in sorted(removed, key=_sort_key)]
    if forget:
        steps.append(Step("forget", layout.private, "the store's state", None))
        warnings += [f"left at {aside}, for something else stands at {path} now" for path, aside in sorted(saved.items())]
    history = _history(seen.state.history, seen.default, default, remaining)
    state = State(history, tuple(sorted(targets)), saved, seen.state.go_env)
    return Decision(Plan(tuple(steps)), default, state, tuple(warnings))


def _sort_key(version: str) -> Tuple[int, ...]:
    parsed = parse_version(version)
    return tuple(parsed) if parsed is not None else ()


def _fetch(layout: Layout, wanted: Wanted, seen: Seen) -> List[Step]:
    steps = []
    for version in sorted(set(wanted.versions), key=_sort_key):
        tree = seen.trees.get(version)
        if tree is None:
            steps.append(Step("install", layout.tree(version), None, version, version))
        elif tree.problems:
            more = len(tree.problems) - _NAMED
            named = "; ".join(tree.problems[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
            if not wanted.repair:
                raise GoHostError(f"Go {version} is not as it was installed", f"{layout.tree(version)}: {named}", "Set repair: true to install it anew.")
            steps.append(Step("repair", layout.tree(version), named, version, version))
    return steps


def _removed(wanted: Wanted, seen: Seen) -> Tuple[Set[str], List[str]]:
    warnings = []
    if wanted.absent:
        asked: Set[str] = set()
        for name in wanted.versions:
            line = parse_line(name)
            asked |= {version for version in seen.trees if version == name or (line and _sort_key(version)[:2] == line)}
        kept = sorted(asked & set(wanted.keep))
        if kept:
            raise GoHostError(f"Go {kept[0]} is not removed", "it is named in keep", "Take it out of keep or out of versions.")
    elif wanted.exclusive:
        asked = set(seen.trees) - set(wanted.versions) - set(wanted.keep)
        foreign = sorted(version for version in asked if seen.trees[version].foreign)
        if foreign:
            warnings.append(f"not removed, for they were not installed by this collection: {', '.join(foreign)} in {wanted.root}")
        asked -= set(foreign)
    else:
        asked = set()
    for version in sorted(asked, key=_sort_key):
        if seen.trees[version].foreign:
            raise GoHostError(f"Go {version} is not removed", f"{wanted.root}/{version} was not installed by this collection", "Remove it by hand.")
        if version in seen.used:
            raise GoHostError(f"Go {version} is not removed", f"it is used by {seen.used[version]}", "Stop or change that first.")
    return asked, warnings


def _default(wanted: Wanted, seen: Seen, remaining: Sequence[str]) -> str:
    asked = _rollback(wanted, seen, remaining) if wanted.rollback_from else wanted.default
    if not asked and not wanted.rollback_from and not wanted.absent:
        if len(set(wanted.versions)) == 1:
            asked = wanted.versions[0]
        elif not seen.default:
            raise GoHostError("no default among several versions", ", ".join(wanted.versions), "Set default to the one that `go` shall be.")
    default = asked or seen.default
    if default and remaining and default not in remaining:
        if default in seen.trees:
            raise GoHostError(f"Go {default} is not removed", "it is the default while others remain", "Make another version the default first.")
        raise GoHostError("the default is not installed", f"{wanted.root}/{default}", "List it in versions, or set default to one of them.")
    return default if remaining else ""


def _rollback(wanted: Wanted, seen: Seen, remaining: Sequence[str]) -> str:
    if seen.default != wanted.rollback_from:
        return seen.default
    for version in reversed(seen.state.history):
        if version != seen.default and version in remaining:
            return version
    raise GoHostError(
        f"no roll back from Go {wanted.rollback_from}", "no version that was default before it is installed", "Set default to an installed version instead."
    )


def _history(history: Sequence[str], before: str, after: str, remaining: Sequence[str]) -> Tuple[str, ...]:
    """Each default once, the newest last. before is added too: a killed run may have switched without writing it down."""
    for default in (before, after):
        if default:
            history = [version for version in history if version != default] + [default]
    return tuple(version for version in history if version in remaining)


def _links(wanted: Wanted, seen: Seen, targets: Dict[str, str]) -> Tuple[List[Step], Dict[str, str]]:
    steps = []
    saved = {path: aside for path, aside in seen.state.saved.items() if seen.links[aside].owner}
    for path, target in sorted(targets.items()):
        standing = seen.links[path]
        if standing.what == target and not standing.owner:
            continue
        aside = ""
        if standing.owner:
            if not wanted.links_force:
                raise GoHostError(
                    "a link cannot be made, for something else stands there",
                    f"{path} is {standing.owner}",
                    "Set links_force: true to move it aside, choose another directory in links, or remove it.",
                )
            aside = aside_of(path)
            if path in saved:
                raise GoHostError("something is already moved aside for this link", f"{path}: {saved[path]}", "Decide which one to keep, and remove the other.")
            saved[path] = aside
        steps.append(Step("link", path, standing.what, target, aside))
    for path in sorted({*seen.state.links, *saved} - set(targets)):
        standing = seen.links[path]
        if standing.owner:  # not ours any more; what was moved aside for it waits
            continue
        aside = saved.pop(path, "")
        if standing.what is not None or aside:
            steps.append(Step("unlink", path, standing.what, seen.links[aside].what if aside else None, aside))
    return steps, saved
