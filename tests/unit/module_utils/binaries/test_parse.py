# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and module information as toolchains write them."""

from typing import Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.binaries import parse
from ansible_collections.gohost.linux.plugins.module_utils.binaries.model import BuildInfo, Module
from tests.fakes import elf as fake

# `go version -m` of programs built with Go 1.21.13, 1.24.13 and 1.27.4, what they depend on shortened.
TEXT = """path\texample.com/goapp/cmd/goapp
mod\texample.com/goapp\tv1.2.3-0.20261121100000-0a1b2c3d4e5f+dirty\t
dep\tgithub.com/google/uuid\tv1.6.0\th1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=
dep\tgolang.org/x/sys\tv0.30.0
=>\t./sys\t(devel)\t
build\t-buildmode=pie
build\t-compiler=gc
build\t-ldflags="-s -w -X \\"main.token=a b\\""
build\t-trimpath=true
build\tDefaultGODEBUG=containermaxprocs=0,decoratemappings=0,tlssha1=1,updatemaxprocs=0,x509sha256skid=0
build\tCGO_ENABLED=0
build\tGOARCH=amd64
build\tGOOS=linux
build\tGOAMD64=v1
build\tvcs.modified=true
"""


def test_build_info() -> None:
    found = parse.build_info("go1.27.4", TEXT)
    assert (found.version, found.path) == ("go1.27.4", "example.com/goapp/cmd/goapp")
    assert found.main == Module("example.com/goapp", "v1.2.3-0.20261121100000-0a1b2c3d4e5f+dirty")
    assert found.deps == (
        Module("github.com/google/uuid", "v1.6.0", "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0="),
        Module("golang.org/x/sys", "v0.30.0", "", "./sys (devel)"),
    )
    assert found.setting("DefaultGODEBUG").startswith("containermaxprocs=0,")
    assert found.setting("-ldflags") == '-s -w -X "main.token=a b"'
    assert found.setting("GOARM") == ""
    assert "-ldflags" not in found.shown and "token" not in str(found.shown)
    assert found.shown["GOAMD64"] == "v1" and found.shown["-buildmode"] == "pie" and found.shown["vcs.modified"] == "true"


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("build\tA=b", ("A", "b")),
        ("build\tA=", ("A", "")),
        ("build\tA=b=c", ("A", "b=c")),
        ('build\t"a b"=c', ("a b", "c")),
        ("build\t`a b`=`c\\n`", ("a b", "c\\n")),
        ('build\tA="\\t\\x41\\u00e4\\U0001F600\\101\\"\\\\"', ("A", '\tA\u00e4\U0001f600A"\\')),
        ('build\tA="\\ud800\\Uffffffff"', ("A", "\ufffd\ufffd")),
        ('build\tA="b', None),
        ('build\tA="b"c', None),
        ('build\t"A', None),
        ('build\t"A"b', None),
        ("build\t=b", None),
        ("build\tA", None),
        ("build\t", None),
        ("build", None),
        ("dep\ta", None),
        ("=>\ta\tb\tc", None),
        ("", None),
    ],
)
def test_settings(line: str, setting: Optional[Tuple[str, str]]) -> None:
    assert parse.build_info("go1.27", line) == BuildInfo("go1.27", settings=(setting,) if setting else ())


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("go1.27.4", (1, 27)),
        ("go1.21", (1, 21)),
        ("go1.28rc1", (1, 28)),
        ("go1.25.14 X:nogreenteagc", (1, 25)),
        ("go1.24.4 (Red Hat 1.24.4-1.el9)", (1, 24)),
        ("go1.26-devel_0a1b2c3d Thu Jan 1 00:00:00 2026 +0000 X:none", (1, 26)),
        ("devel go1.24-0a1b2c3d4e Thu Jan 1 00:00:00 2025 +0000", (1, 24)),
        ("devel +0a1b2c3d4e Thu Jan 1 00:00:00 2015 +0000", None),
        ("unknown", None),
        ("go1", None),
        ("go1.99999", None),
        ("", None),
    ],
)
def test_release(version: str, line: Optional[Tuple[int, int]]) -> None:
    assert parse.release(version) == line


def test_modinfo_stands_between_marks() -> None:
    assert parse.modinfo(fake.framed("path\tx\n")) == "path\tx\n"
    for wrong in (b"", b"x" * 32, b"x" * 33, fake.framed("path\tx")):
        assert parse.modinfo(wrong) == ""
    assert parse.modinfo(b"a" * 16 + b"\xff\n" + b"b" * 16) == "\ufffd\n"
