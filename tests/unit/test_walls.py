# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: the walls between the rooms, over every import statement under plugins/."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.gohost.linux"
ON_HOST, ON_CONTROLLER = {"modules"}, {"action", "lookup", "filter", "test", "callback", "inventory", "connection"}
DOORS = ON_HOST | ON_CONTROLLER
TOP_FILES = {"errors", "plan", "host", "ansible_host"}
DYNAMIC = "dynamic "
PURE = {
    "model",
    "parse",
    "plan",
    "file_contexts",
    "policy",
    "taken",
    "elf",
    "hierarchy",
    "quantities",
    "predict",
    "configured",
    "advise",
    "rows",
    "dbus",
    "directives",
    "dropins",
    "overlay",
    "environment",
    "unit_files",
    "variables",
    "refusals",
}
# Parts of a room that are a subject of their own, with the same inside.
SUBROOMS = {("selinux", "denials"), ("cgroups", "limits")}
# The only files that may ask for a distribution's own bindings, which no package index has.
BINDINGS = {("selinux", "store"): {"semanage"}, ("selinux", "security_server"): {"selinux"}}
CORE_BRINGS = {"cryptography", "jinja2", "packaging", "yaml"}  # what ansible-core depends on, so the controller has it


class Place(NamedTuple):
    """Where a file, or what an import names, stands below plugins/: ("module_utils", "toolchain", "model")."""

    side: str
    room: str  # "" for a file directly under its side
    name: str

    @classmethod
    def of(cls, parts: "tuple[str, ...] | list[str]") -> "Place":
        side, *rest = parts or ("",)
        if tuple(rest[:2]) in SUBROOMS and len(rest) > 2:
            rest = [rest[0], *rest[2:]]
        if side in ("module_utils", "plugin_utils") and rest and rest[0] not in TOP_FILES:
            return cls(side, rest[0], rest[1] if len(rest) > 1 else "")
        return cls(side, "", rest[0] if rest else "")

    @property
    def pure(self) -> bool:
        return self.name in PURE if self.room else self.side == "module_utils" and self.name in ("errors", "plan")


def imports(tree: ast.AST, module: str) -> Iterator["tuple[str, int, bool]"]:
    """(absolute dotted name, line, whether it was written relative); `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            prefix = ".".join(base + (node.module or "").split(".")).strip(".")
            yield from ((f"{prefix}.{alias.name}", node.lineno, bool(node.level)) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module", "import_module"):
            yield f"{DYNAMIC}{ast.unparse(node)}", node.lineno, False


def _ours(here: Place, there: Place) -> Iterator[str]:
    """What is wrong with `here` importing `there`, both under plugins/."""
    if there.side in DOORS:
        yield "a door is imported by nobody"
    if there.side == "plugin_utils" and here.side in {"module_utils"} | ON_HOST:
        yield "what runs on hosts never imports plugin_utils"
    if (there.side, there.room, there.name) == ("module_utils", "", "ansible_host") and here.side not in DOORS:
        yield "only doors import ansible_host"
    if here.side in ("module_utils", "plugin_utils"):
        if there.room and not here.room:
            yield "what all rooms stand on imports no room"
        if there.room and there.name == "apply" and (there.side, there.room) != (here.side, here.room):
            yield "no room imports another one's apply"
        if here.pure and not there.pure:
            yield "a pure file imports only errors, plan and other pure files"


def _foreign(here: Place, name: str) -> Iterator[str]:
    top = name.split(".")[0]
    on_host = here.side in {"module_utils"} | ON_HOST
    if name.startswith(DYNAMIC):
        yield "an import that no reader sees"
    elif top in ("tests", "benchmarks", "tools"):
        yield "nothing shipped imports what is not"
    elif top == "ansible":
        if here.side not in DOORS and here != Place("module_utils", "", "ansible_host"):
            yield "only doors and ansible_host import ansible"
    elif top in BINDINGS.get((here.room, here.name), set()):
        return
    elif top not in sys.stdlib_module_names and (on_host or here.pure):
        yield "not in the standard library"
    elif top not in sys.stdlib_module_names | CORE_BRINGS:
        yield "not brought by ansible-core"


def violations(path: str, source: str) -> "list[str]":
    """Every breach of the walls in a file at this path below plugins/, as `path:line: import: why`."""
    parts = PurePosixPath(path).with_suffix("").parts
    here = Place.of(parts)
    module = ".".join((COLLECTION, "plugins", *parts))
    found = []
    for name, line, relative in imports(ast.parse(source), module):
        if name.startswith(f"{COLLECTION}."):
            inside = name[len(COLLECTION) + 1 :].split(".")
            if inside[0] != "plugins":
                wrong = ["nothing shipped imports what is not"]
            else:
                wrong = [*_ours(here, Place.of(inside[1:]))]
                if relative == (here.side in DOORS):
                    wrong.append("rooms import relatively, doors absolutely")
        else:
            wrong = [*_foreign(here, name)]
        found += [f"{path}:{line}: {name}: {why}" for why in wrong]
    return found


FILES = sorted(str(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins").rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_file_keeps_to_its_room(path: str) -> None:
    assert violations(path, (ROOT / "plugins" / path).read_text(encoding="utf-8")) == []


def test_the_rooms_were_found() -> None:
    assert {"module_utils/errors.py", "module_utils/toolchain/model.py", "plugin_utils/releases/index.py"} <= set(FILES)


BREACHES = [
    ("module_utils/toolchain/observe.py", "from ansible.module_utils.basic import AnsibleModule", "only doors and ansible_host import ansible"),
    ("module_utils/host.py", "import ansible", "only doors and ansible_host import ansible"),
    ("plugin_utils/releases/index.py", "def f():\n    from ansible.utils import display", "only doors and ansible_host import ansible"),
    ("module_utils/toolchain/apply.py", "from ..ansible_host import AnsibleHost", "only doors import ansible_host"),
    ("module_utils/toolchain/apply.py", "from .. import ansible_host", "only doors import ansible_host"),
    ("module_utils/toolchain/apply.py", "from ...plugin_utils.releases import index", "what runs on hosts never imports plugin_utils"),
    ("modules/go_toolchain.py", f"from {COLLECTION}.plugins.plugin_utils.releases.index import load", "what runs on hosts never imports plugin_utils"),
    ("module_utils/selinux/denials/parse.py", "from .observe import read", "a pure file imports only errors, plan and other pure files"),
    ("module_utils/cgroups/predict.py", "from .observe import process", "a pure file imports only errors, plan and other pure files"),
    ("module_utils/binaries/elf.py", "from ..host import Host", "a pure file imports only errors, plan and other pure files"),
    ("module_utils/selinux/denials/observe.py", "import selinux", "not in the standard library"),
    ("module_utils/kernel/observe.py", "from ..toolchain.apply import apply", "no room imports another one's apply"),
    ("module_utils/kernel/observe.py", "from ..toolchain import apply", "no room imports another one's apply"),
    ("plugin_utils/report/html.py", "from ...module_utils.toolchain import apply", "no room imports another one's apply"),
    ("module_utils/host.py", "from .toolchain.model import GoVersion", "what all rooms stand on imports no room"),
    ("module_utils/toolchain/model.py", "from ..host import Host", "a pure file imports only errors, plan and other pure files"),
    ("module_utils/toolchain/plan.py", "from .observe import observe", "a pure file imports only errors, plan and other pure files"),
    ("module_utils/plan.py", "from .host import Host", "a pure file imports only errors, plan and other pure files"),
    ("plugin_utils/releases/model.py", "import yaml", "not in the standard library"),
    ("module_utils/toolchain/parse.py", "import cryptography", "not in the standard library"),
    ("modules/go_toolchain.py", "import requests", "not in the standard library"),
    ("modules/selinux_go_context.py", "import semanage", "not in the standard library"),
    ("module_utils/selinux/apply.py", "import semanage", "not in the standard library"),
    ("module_utils/selinux/store.py", "import selinux", "not in the standard library"),
    ("plugin_utils/releases/official.py", "import requests", "not brought by ansible-core"),
    ("action/go_toolchain.py", f"from {COLLECTION}.plugins.modules import go_toolchain", "a door is imported by nobody"),
    ("action/go_toolchain.py", "from ..module_utils.errors import GoHostError", "rooms import relatively, doors absolutely"),
    ("module_utils/toolchain/apply.py", f"from {COLLECTION}.plugins.module_utils.errors import GoHostError", "rooms import relatively, doors absolutely"),
    ("lookup/go_release.py", "from tests.fakes import web", "nothing shipped imports what is not"),
    ("lookup/go_release.py", f"from {COLLECTION}.tests.fakes import web", "nothing shipped imports what is not"),
    ("module_utils/toolchain/apply.py", "import importlib\nimportlib.import_module('x')", "an import that no reader sees"),
]


@pytest.mark.parametrize(("path", "source", "why"), BREACHES)
def test_breach_is_seen(path: str, source: str, why: str) -> None:
    assert [line.rsplit(": ", 1)[1] for line in violations(path, source)] == [why]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("modules/go_toolchain.py", "from ansible.module_utils.basic import AnsibleModule"),
        ("modules/go_toolchain.py", f"from {COLLECTION}.plugins.module_utils.ansible_host import AnsibleHost"),
        ("action/go_toolchain.py", f"import yaml\nfrom {COLLECTION}.plugins.plugin_utils.releases import index"),
        ("module_utils/toolchain/plan.py", "import os\nfrom ..errors import GoHostError\nfrom ..plan import Plan\nfrom .model import GoVersion"),
        ("module_utils/toolchain/apply.py", "from ..host import Host\nfrom . import archive\nfrom .model import GoVersion"),
        ("module_utils/kernel/observe.py", "from ..toolchain.model import GoVersion"),
        ("module_utils/cgroups/advise.py", "from ..binaries.model import BuildInfo\nfrom . import predict\nfrom .hierarchy import chain"),
        ("module_utils/selinux/denials/parse.py", "import re\nfrom ...errors import GoHostError\nfrom ..model import Context\nfrom .model import Denial"),
        ("module_utils/selinux/denials/security_server.py", "from selinux import audit2why"),
        ("module_utils/selinux/store.py", "import semanage"),
        ("plugin_utils/releases/sumdb.py", "from cryptography.hazmat.primitives import hashes\nfrom ...module_utils.toolchain.model import GoVersion"),
        ("plugin_utils/releases/model.py", "from ...module_utils.toolchain.model import GoVersion"),
    ],
)
def test_no_false_alarm(path: str, source: str) -> None:
    assert violations(path, source) == []
