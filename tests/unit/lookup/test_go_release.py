# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.gohost.linux.plugins.lookup import go_release
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError

ROOT = Path(__file__).resolve().parents[3]


class Lookup(go_release.LookupModule):
    """Its options come from the test, not from ansible's plugin loader."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.given = options

    def set_options(self, *given: Any, **named: Any) -> None:
        pass

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        return self.given.get(option)

    def find_file_in_search_path(self, myvars: Any, subdir: str, needle: str, ignore_missing: bool = False) -> Any:
        assert (subdir, ignore_missing) == ("files", True)
        found = Path(myvars["there"]) / needle
        return str(found) if found.exists() else None


def ask(*terms: Any, there: str = "/nowhere", **options: Any) -> Any:
    return Lookup(options).run(list(terms), {"there": there})


def test_versions() -> None:
    assert ask("stable", "1.26", "1.27.3", "1.20") == ["1.27.4", "1.26.11", "1.27.3", "1.20.14"]


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "go.mod").write_text("module m\ngo 1.26.3\ntoolchain go1.27.3\n")
    (tmp_path / ".go-version").write_text("1.25\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ask(str(tmp_path / "go.mod"), "~/.go-version") == ["1.27.3", "1.25.14"]
    assert ask("go.mod", "./.go-version", there=str(tmp_path)) == ["1.27.3", "1.25.14"]


def test_detail() -> None:
    assert ask("1.25", detail=True) == [{"version": "1.25.14", "line": "1.25", "released": "2025-08-12", "supported": False, "eol": "2026-08-19"}]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("1.22.99", r"go_release: no such Go release is known: 1\.22\.99\. The nearest is 1\.22\.12, the newest 1\.27\.4"),
        (1.2, "Quote it"),
        ("go.mod", "cannot read the file that names the Go version: go.mod"),
        ("/x/Makefile", "not a file that names a Go version"),
    ],
)
def test_errors(term: Any, message: str) -> None:
    with pytest.raises(AnsibleError, match=message):
        ask(term)


def test_check_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def get(url: str, settings: Any) -> bytes:
        asked.append((url, settings.ca_path))
        if "go.dev" in url:
            raise GoHostError("no route to host", url)
        return b"v0.0.1-go1.28.0.linux-amd64\n"

    monkeypatch.setattr(go_release, "get", get)
    monkeypatch.setenv("GOPROXY", "https://a.test,direct")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ask("stable", "oldstable", check_latest=True, ca_path="/ca.pem") == ["1.28.0", "1.27.4"]
    assert asked == [("https://go.dev/dl/?mode=json&include=all", "/ca.pem"), ("https://a.test/golang.org/toolchain/@v/list", "/ca.pem")]


def test_through_the_plugin_loader(tmp_path: Path) -> None:
    """Its documentation loads, and gives the options their defaults."""
    (tmp_path / "ansible_collections/gohost").mkdir(parents=True)
    (tmp_path / "ansible_collections/gohost/linux").symlink_to(ROOT)
    code = """if True:
        import json
        from ansible.plugins.loader import init_plugin_loader, lookup_loader
        init_plugin_loader()
        print(json.dumps([lookup_loader.get("gohost.linux.go_release").run(["1.25"], {}, **given) for given in ({}, {"detail": "yes"})]))
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
    environ.update(ANSIBLE_COLLECTIONS_PATH=str(tmp_path), HOME=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plain, detailed = json.loads(done.stdout)
    assert plain == ["1.25.14"]
    assert detailed[0]["version"] == "1.25.14"
