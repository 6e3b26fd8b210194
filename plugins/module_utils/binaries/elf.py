# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an ELF file keeps the build information of Go. Pure: it gets its bytes from a function, and asks for few of them.

After golang/go:src/debug/buildinfo/buildinfo.go and the System V ABI (gABI, chapter 4 and 5). Nothing in the file is believed:
every read is bounded, whatever lengths, counts and addresses the file claims.
"""

import struct
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

Read = Callable[[int, int], bytes]  # offset, size → at most so many bytes

_MAGIC = b"\xff Go buildinf:"
_SECTION = b".go.buildinfo\0"
_HEADER = 32
_ALIGN = 16
_CHUNK = 1 << 20
_MOST_HEADERS = 1 << 13  # sections or segments
_LONGEST_NAMES = 1 << 20  # of sections
_LONGEST_TEXT = 1 << 22  # version or module information
_FARTHEST = 1 << 26  # how far into a segment the magic is looked for
_PT_LOAD, _PF_X, _PF_W = 1, 1, 2


class Segment(NamedTuple):
    """A part of the file that is loaded: its address in memory, its place and size in the file."""

    address: int
    offset: int
    size: int
    flags: int


class _Form(NamedTuple):
    """Class and byte order of an ELF file. pointer: bytes; sign: struct's."""

    pointer: int
    sign: str

    def unpack(self, fields: str, data: bytes) -> Tuple[int, ...]:
        """Fields, where P is a pointer; zeros where the file ends before them."""
        layout = struct.Struct(self.sign + fields.replace("P", "Q" if self.pointer == 8 else "I"))
        return tuple(int(value) for value in layout.unpack(data[: layout.size].ljust(layout.size, b"\0")))


def build_info(read: Read) -> Optional[Tuple[str, bytes]]:
    """The toolchain's version and the raw module information of a Go program; None where this is no ELF file, or none that Go has built."""
    ident = read(0, 64)
    if len(ident) < 52 or ident[:4] != b"\x7fELF" or ident[4] not in (1, 2) or ident[5] not in (1, 2):
        return None
    form = _Form(8 if ident[4] == 2 else 4, "<" if ident[5] == 1 else ">")
    # From byte 24 on: entry, program headers, section headers, flags, size of this, size and number of both kinds, index of the names.
    _entry, phoff, shoff, _flags, _size, phentsize, phnum, shentsize, shnum, shstrndx = form.unpack("PPPIHHHHHH", ident[24:])
    segments = _segments(read, form, phoff, phentsize, phnum)
    for start, size in _places(read, form, segments, (shoff, shentsize, shnum, shstrndx)):
        found = _header(segments, read, start, min(size, _FARTHEST))
        if found is not None:
            return _decode(segments, read, *found)
    return None


def _segments(read: Read, form: _Form, offset: int, entry: int, count: int) -> List[Segment]:
    found = []
    size = 56 if form.pointer == 8 else 32
    if entry < size:
        return []
    for data in _table(read, offset, entry, count):
        if form.pointer == 8:
            kind, flags, place, address, _physical, length = form.unpack("IIPPPP", data)
        else:
            kind, place, address, _physical, length, _memory, flags = form.unpack("IPPPPPI", data)
        if kind == _PT_LOAD and length:
            found.append(Segment(address, place, length, flags))
    return found


def _table(read: Read, offset: int, entry: int, count: int) -> Iterator[bytes]:
    count = min(count, _MOST_HEADERS)
    data = read(offset, entry * count) if offset and entry <= 256 else b""
    for number in range(len(data) // entry if entry else 0):
        yield data[number * entry : (number + 1) * entry]


def _places(read: Read, form: _Form, segments: List[Segment], sections: Tuple[int, int, int, int]) -> Iterator[Tuple[int, int]]:
    """Address and size of where the information may stand: the section of its name, or else the first data of the program."""
    offset, entry, count, names_at = sections
    headers = []
    if entry >= (64 if form.pointer == 8 else 40):
        # name, type, flags, address, offset, size
        headers = [form.unpack("IIPPPP", data) for data in _table(read, offset, entry, count)]
    if names_at < len(headers):
        names = read(headers[names_at][4], min(headers[names_at][5], _LONGEST_NAMES))
        for name, _kind, _flags, address, _offset, size in headers:
            if names[name : name + len(_SECTION)] == _SECTION:
                yield address, size
                return
    for segment in segments:
        if segment.flags & (_PF_X | _PF_W) == _PF_W:
            yield segment.address, segment.size
            return


def _at(segments: List[Segment], read: Read, address: int, size: int) -> bytes:
    """Bytes at an address of memory, fewer where the segment ends, none where no segment is."""
    for segment in segments:
        behind = address - segment.address
        if 0 <= behind < segment.size:
            return read(segment.offset + behind, min(size, segment.size - behind))
    return b""


def _header(segments: List[Segment], read: Read, start: int, size: int) -> Optional[Tuple[int, bytes]]:
    """Address and bytes of the header, which stands where the address is a multiple of 16."""
    end = start + size
    address = -(-start // _ALIGN) * _ALIGN
    while address < end:
        data = _at(segments, read, address, min(_CHUNK, end - address))
        place = data.find(_MAGIC)
        while place >= 0 and place % _ALIGN:
            place = data.find(_MAGIC, place + 1)
        if place >= 0:
            header = _at(segments, read, address + place, _HEADER)
            return (address + place, header) if len(header) == _HEADER else None
        if len(data) < _CHUNK:
            return None
        address += _CHUNK
    return None


def _decode(segments: List[Segment], read: Read, address: int, header: bytes) -> Optional[Tuple[str, bytes]]:
    pointer, flags = header[14], header[15]
    if flags & 2:  # since Go 1.18 the texts follow
        version, address = _counted(segments, read, address + _HEADER)
        info, _end = _counted(segments, read, address)
    elif pointer in (4, 8):  # before, pointers to Go's strings
        form = _Form(pointer, ">" if flags & 1 else "<")
        version, info = (_string(segments, read, form, each) for each in form.unpack("PP", header[16:]))
    else:
        return None
    return (version.decode("utf-8", "replace"), info) if version else None


def _counted(segments: List[Segment], read: Read, address: int) -> Tuple[bytes, int]:
    """A text with its length before it, as a varint (encoding/binary's Uvarint), and the address behind it."""
    length = shift = 0
    for number, byte in enumerate(_at(segments, read, address, 10)):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            start = address + number + 1
            data = _at(segments, read, start, length) if length <= _LONGEST_TEXT else b""
            return (data if len(data) == length else b""), start + length
    return b"", address


def _string(segments: List[Segment], read: Read, form: _Form, address: int) -> bytes:
    start, length = form.unpack("PP", _at(segments, read, address, 2 * form.pointer))
    data = _at(segments, read, start, length) if length <= _LONGEST_TEXT else b""
    return data if len(data) == length else b""
