# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role's defaults and argument_specs say the same, with the role's name as prefix, and the role has a README."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir()) if ROLES.is_dir() else []


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def disagreements(role: Path) -> Iterator[str]:
    """What is wrong in the role, in words. An option that must be given has no default; one without a value has none in either."""
    if not (role / "README.md").is_file():
        yield "README.md is missing"
    specs = (_read(role / "meta/argument_specs.yml") or {}).get("argument_specs", {})
    if "main" not in specs:
        yield "meta/argument_specs.yml has no entry point main"
        return
    options: dict[str, dict[str, Any]] = specs["main"].get("options", {})
    defaults: dict[str, Any] = _read(role / "defaults/main.yml") or {}
    for name in sorted(set(options) | set(defaults)):
        if not name.startswith(f"{role.name}_"):
            yield f"{name}: does not begin with {role.name}_"
        if name not in options:
            yield f"{name}: in defaults, but not in argument_specs"
        elif options[name].get("required"):
            if name in defaults or "default" in options[name]:
                yield f"{name}: required, and has a default"
        elif name not in defaults and "default" in options[name]:
            yield f"{name}: has a default in argument_specs, but not in defaults"
        elif name in defaults and "default" not in options[name]:
            yield f"{name}: has a default in defaults, but not in argument_specs"
        elif name in defaults and (defaults[name], type(defaults[name])) != (options[name]["default"], type(options[name]["default"])):
            yield f"{name}: is {defaults[name]!r} in defaults and {options[name]['default']!r} in argument_specs"


@pytest.mark.parametrize("name", NAMES)
def test_role_agrees_with_itself(name: str) -> None:
    assert list(disagreements(ROLES / name)) == []


@pytest.mark.parametrize(
    ("defaults", "options", "wrong"),
    [
        ("r_a: 1", "r_a: {default: 1}", []),
        ("{}", "r_a: {required: true}, r_b: {type: str}", []),
        ("r_a: 1", "r_a: {default: 2}", ["r_a: is 1 in defaults and 2 in argument_specs"]),
        ("r_a: true", "r_a: {default: 1}", ["r_a: is True in defaults and 1 in argument_specs"]),
        ("r_a: 1", "r_a: {type: int}", ["r_a: has a default in defaults, but not in argument_specs"]),
        ("{}", "r_a: {default: 1}", ["r_a: has a default in argument_specs, but not in defaults"]),
        ("r_a: 1", "", ["r_a: in defaults, but not in argument_specs"]),
        ("a: 1", "a: {default: 1}", ["a: does not begin with r_"]),
        ("r_a: 1", "r_a: {required: true}", ["r_a: required, and has a default"]),
    ],
)
def test_disagreement_is_seen(tmp_path: Path, defaults: str, options: str, wrong: "list[str]") -> None:
    role = tmp_path / "r"
    specs = f"argument_specs: {{main: {{options: {{{options}}}}}}}"
    for name, text in (("README.md", "# r"), ("defaults/main.yml", defaults), ("meta/argument_specs.yml", specs)):
        (role / name).parent.mkdir(parents=True, exist_ok=True)
        (role / name).write_text(text)
    assert list(disagreements(role)) == wrong


def test_empty_role_is_seen(tmp_path: Path) -> None:
    assert list(disagreements(tmp_path)) == ["README.md is missing", "meta/argument_specs.yml has no entry point main"]
