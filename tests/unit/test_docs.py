# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-doc renders every plugin and role that is on disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = {"modules": "module", "lookup": "lookup", "filter": "filter", "test": "test", "inventory": "inventory", "callback": "callback"}


def on_disk(root: Path) -> "list[tuple[str, str]]":
    """(ansible-doc's type, short name) of everything that must have documentation. Filters have theirs in <name>.yml beside the code."""
    found = []
    for folder, kind in DOCUMENTED.items():
        suffix = "*.yml" if kind in ("filter", "test") else "*.py"
        found += [(kind, path.stem) for path in sorted((root / "plugins" / folder).glob(suffix))]
    return found + [("role", path.parents[1].name) for path in sorted((root / "roles").glob("*/meta/argument_specs.yml"))]


def ansible_doc(kind: str, name: str, *more: str) -> str:
    program = Path(sys.executable).with_name("ansible-doc")
    answer = subprocess.run(
        [str(program), "-t", kind, *more, f"gohost.linux.{name}"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"), "ANSIBLE_NOCOLOR": "1", "PAGER": "cat"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert "gohost" not in answer.stderr, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(("kind", "name"), on_disk(ROOT))
def test_renders(kind: str, name: str) -> None:
    documented = json.loads(ansible_doc(kind, name, "--json"))[f"gohost.linux.{name}"]
    if kind == "role":
        assert documented["entry_points"]["main"]["short_description"]
    else:
        assert documented["doc"]["short_description"] and documented["examples"] and documented["return"]
    assert name.upper() in ansible_doc(kind, name).upper()


def test_all_kinds_are_found(tmp_path: Path) -> None:
    for name in ("plugins/modules/m.py", "plugins/lookup/l.py", "plugins/filter/f.py", "plugins/filter/f.yml", "roles/r/meta/argument_specs.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert on_disk(tmp_path) == [("module", "m"), ("lookup", "l"), ("filter", "f"), ("role", "r")]
