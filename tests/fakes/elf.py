# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executables that hold nothing but build information, of every class, byte order and format in which Go writes it."""

import struct
from typing import Dict

MAGIC = b"\xff Go buildinf:"
START, END = bytes.fromhex("3077af0c9274080241e1c107e6d618e6"), bytes.fromhex("f932433186182072008242104116d8f2")
BASE, PLACE = 0x400000, 0x1000


def framed(modinfo: str) -> bytes:
    """Module information between the marks that cmd/go sets."""
    return START + modinfo.encode() + END if modinfo else b""


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def make(version: str = "go1.27.4", modinfo: str = "path\tx\n", bits: int = 64, big: bool = False, inline: bool = True, sections: bool = True) -> bytes:
    """An ELF file. inline: as since Go 1.18; sections: it has section headers, which strip keeps and sstrip does not."""
    return assemble(blob(version.encode(), framed(modinfo), bits, big, inline), bits, big, sections)


def blob(version: bytes, modinfo: bytes, bits: int = 64, big: bool = False, inline: bool = True) -> bytes:
    """The build information as it stands at the address BASE + PLACE."""
    size = bits // 8
    if inline:
        return (MAGIC + bytes([size, 2])).ljust(32, b"\0") + varint(len(version)) + version + varint(len(modinfo)) + modinfo
    strings = BASE + PLACE + 32  # two headers of Go strings, then what they point to
    texts = strings + 4 * size
    pointer = struct.Struct((">" if big else "<") + ("Q" if bits == 64 else "I"))
    headers = b"".join(map(pointer.pack, (texts, len(version), texts + len(version), len(modinfo))))
    return (MAGIC + bytes([size, int(big)]) + pointer.pack(strings) + pointer.pack(strings + 2 * size)).ljust(32, b"\0") + headers + version + modinfo


def assemble(data: bytes, bits: int = 64, big: bool = False, sections: bool = True, **fields: int) -> bytes:
    """An ELF file with this in its data segment. fields: other values for the file header than those that are right."""
    sign = ">" if big else "<"
    word = "Q" if bits == 64 else "I"
    header, program, section = (64, 56, 64) if bits == 64 else (52, 32, 40)
    names = b"\0.go.buildinfo\0.shstrtab\0"
    names_at = PLACE + len(data)
    right: Dict[str, int] = dict(
        phoff=header,
        shoff=names_at + len(names) if sections else 0,
        phentsize=program,
        phnum=2,
        shentsize=section,
        shnum=3 if sections else 0,
        shstrndx=2 if sections else 0,
    )
    right.update(fields)
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 2 if big else 1, 1]).ljust(12, b"\0")
    found = ident + struct.pack(
        f"{sign}HHI{word}{word}{word}I6H",
        *(2, 62, 1, BASE, right["phoff"], right["shoff"], 0, header),
        *(right[name] for name in ("phentsize", "phnum", "shentsize", "shnum", "shstrndx")),
    )
    for flags, address, place, size in ((5, BASE, 0, PLACE), (6, BASE + PLACE, PLACE, len(data))):
        if bits == 64:
            found += struct.pack(f"{sign}IIQQQQQQ", 1, flags, place, address, address, size, size, 4096)
        else:
            found += struct.pack(f"{sign}IIIIIIII", 1, place, address, address, size, size, flags, 4096)
    found = found.ljust(PLACE, b"\0") + data
    if sections:
        found += names
        rows = ((0, 0, 0, 0, 0), (1, 1, BASE + PLACE, PLACE, len(data)), (15, 3, 0, names_at, len(names)))
        for name, kind, address, place, size in rows:
            found += struct.pack(f"{sign}II{word}{word}{word}{word}II{word}{word}", name, kind, 0, address, place, size, 0, 0, 0, 0)
    return found
