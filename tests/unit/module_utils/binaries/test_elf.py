# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build information found in ELF files of every form, and never more read of a file than is needed."""

import io
import os
import struct
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.binaries import elf, observe
from ansible_collections.gohost.linux.plugins.module_utils.binaries.model import BuildInfo, Module
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from tests.fakes import elf as fake
from tests.fakes.host import RealHost

MODINFO = "path\texample.com/x\nmod\texample.com/x\t(devel)\t\nbuild\tDefaultGODEBUG=containermaxprocs=0\n"


class Counting:
    """A file's bytes, and how many were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: List[Tuple[int, int]] = []

    def __call__(self, offset: int, size: int) -> bytes:
        self.asked.append((offset, size))
        return self.data[offset : offset + size]


def found(data: bytes) -> Optional[Tuple[str, bytes]]:
    return elf.build_info(Counting(data))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("sections", [True, False])
def test_every_form(bits: int, big: bool, inline: bool, sections: bool) -> None:
    assert found(fake.make("go1.24.13", MODINFO, bits, big, inline, sections)) == ("go1.24.13", fake.framed(MODINFO))


def test_without_modules() -> None:
    assert found(fake.make("go1.12", "")) == ("go1.12", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"\x7fELF\x03\x01".ljust(64, b"\0"),
        b"\x7fELF\x02\x03".ljust(64, b"\0"),
        b"\x7fELF\x02\x01".ljust(64, b"\xff"),
        b"\x7fELF\x01\x02".ljust(64, b"\xff"),
        fake.assemble(b"no build information".ljust(64, b"\0")),
        fake.make("", MODINFO),
        fake.make()[: fake.PLACE],
        fake.make()[: fake.PLACE + 20],
        fake.make(sections=False)[: fake.PLACE + 36],
        fake.assemble(b" " + fake.blob(b"go1.27", b"")),
        fake.assemble(fake.MAGIC + b"\x03\x00" + bytes(16)),
        fake.assemble(fake.blob(b"go1.27", b""), sections=False, phnum=0),
        fake.assemble(fake.blob(b"go1.27", b""), sections=False, phentsize=8),
        fake.assemble(fake.blob(b"go1.27", b""), sections=False, phoff=1 << 40),
    ],
    ids=range(17),
)
def test_what_is_none(data: bytes) -> None:
    assert found(data) is None


def test_wrong_section_headers_hide_nothing_that_segments_show() -> None:
    wrong: List[Dict[str, int]] = [dict(shoff=1 << 60), dict(shnum=0xFFFF, shoff=0), dict(shstrndx=0xFFFF), dict(shentsize=1)]
    for fields in wrong:
        assert found(fake.assemble(fake.blob(b"go1.27", b""), 64, False, True, **fields)) == ("go1.27", b""), fields


def test_the_magic_is_looked_for_at_every_sixteenth_byte() -> None:
    decoy = b"x" * 7 + fake.MAGIC
    data = decoy.ljust(3 << 20, b"\0") + fake.blob(b"go1.27", b"")
    assert found(fake.assemble(data, sections=False)) == ("go1.27", b"")


@pytest.mark.parametrize("length", [b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\x80\x80\x80\x80\x10", b"\x7f", b""])
def test_a_length_that_is_not_true(length: bytes) -> None:
    read = Counting(fake.assemble(fake.MAGIC + b"\x08\x02" + bytes(16) + length + b"go1.27"))
    assert elf.build_info(read) is None
    assert max(size for _offset, size in read.asked) <= 1 << 20


def test_a_pointer_that_is_not_true() -> None:
    for target, length in ((1 << 63, 6), (fake.BASE, 1 << 62), (fake.BASE + fake.PLACE - 1, 1 << 21), ((1 << 64) - 1, (1 << 64) - 1)):
        header = fake.MAGIC + b"\x08\x00" + struct.pack("<QQ", fake.BASE + fake.PLACE + 32, fake.BASE + fake.PLACE + 32)
        read = Counting(fake.assemble(header + struct.pack("<QQ", target, length)))
        assert elf.build_info(read) is None
        assert max(size for _offset, size in read.asked) <= 1 << 20


def test_a_huge_program_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as target:
        target.write(fake.make(modinfo=MODINFO))
        target.truncate(1 << 40)
    with (tmp_path / "nothing").open("wb") as target:
        target.write(fake.assemble(bytes(64), sections=False)[: fake.PLACE])
        target.seek(64 + 56 + 32)
        target.write(struct.pack("<QQ", 1 << 39, 1 << 39))
        target.truncate(1 << 40)
    asked = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        source.seek(offset)
        return source.read(size)

    with (tmp_path / "huge").open("rb") as source:
        assert elf.build_info(read) is not None and asked < 4096
    with (tmp_path / "nothing").open("rb") as source:
        asked = 0
        assert elf.build_info(read) is None and asked <= (1 << 26) + 4096


def test_observe(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(fake.make("go1.27.4", MODINFO))
    (tmp_path / "link").symlink_to(program)
    expected = BuildInfo("go1.27.4", "example.com/x", Module("example.com/x", "(devel)"), (), (("DefaultGODEBUG", "containermaxprocs=0"),))
    assert observe.build_info(RealHost(), str(tmp_path / "link")) == expected
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert observe.build_info(RealHost(), str(tmp_path / "script")) is None


@pytest.mark.parametrize("path", ["directory", "fifo", "nothing"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, path: str) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(str(tmp_path / "fifo"))
    with pytest.raises(GoHostError, match="there is no such program"):
        observe.build_info(RealHost(), str(tmp_path / path))


def test_an_offset_that_no_file_has(tmp_path: Path, monkeypatch: Any) -> None:
    data = fake.assemble(fake.blob(b"go1.27", b""), sections=False, phoff=(1 << 64) - 1)
    monkeypatch.setattr(RealHost, "open", lambda self, path: io.BytesIO(data))
    assert observe.opened(RealHost(), "any") is None
