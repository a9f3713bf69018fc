"""Makes a program start on an older libc: protobuf_libc.py PROGRAM COPY.

The copy's requirements of library versions (.gnu.version_r) are marked weak, so that the loader goes on
without them; the functions behind them come from protobuf_libc.c, preloaded.
"""
import struct
import sys

SHT_GNU_VERNEED = 0x6ffffffe
VER_FLG_WEAK = 2


def main(program, copy):
    data = bytearray(open(program, 'rb').read())
    sections_at, = struct.unpack_from('<Q', data, 0x28)
    section_size, n_sections = struct.unpack_from('<HH', data, 0x3a)
    for i in range(n_sections):
        header = struct.unpack_from('<IIQQQQIIQQ', data, sections_at + i * section_size)
        if header[1] == SHT_GNU_VERNEED:
            weaken(data, header[4])
    with open(copy, 'wb') as f:
        f.write(data)


def weaken(data, need_at):
    while True:
        _, n_entries, _, entry_from, next_need = struct.unpack_from('<HHIII', data, need_at)
        entry_at = need_at + entry_from
        for _ in range(n_entries):
            flags, = struct.unpack_from('<H', data, entry_at + 4)
            struct.pack_into('<H', data, entry_at + 4, flags | VER_FLG_WEAK)
            entry_at += struct.unpack_from('<I', data, entry_at + 12)[0]
        if not next_need:
            return
        need_at += next_need


main(*sys.argv[1:])
