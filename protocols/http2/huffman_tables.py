"""Writes the tables of HPACK's Huffman code (RFC 7541 appendix B) as C.   huffman_tables.py OUTPUT

The code is canonical: the lengths of its codes say all. Codes of up to SHORT bits are found by one look into a table of
all beginnings; longer ones by the ranges of each length."""
import sys

SHORT = 10
END = 256  # of a text; never to be sent
LENGTHS = """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30
"""


def codes_of(lengths):
    """(symbol, code, length) in the order of the codes."""
    code = last = 0
    for symbol in sorted(range(len(lengths)), key=lambda symbol: (lengths[symbol], symbol)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        yield symbol, code, last
        code += 1


def main():
    lengths = [int(length) for length in LENGTHS.split()]
    codes = list(codes_of(lengths))
    short = [(0, 0)] * (1 << SHORT)
    for symbol, code, length in codes:
        if length <= SHORT:
            first = code << (SHORT - length)
            short[first:first + (1 << (SHORT - length))] = [(symbol, length)] * (1 << (SHORT - length))
    long = [entry for entry in codes if entry[2] > SHORT]
    ranges = []  # of each length: its codes end before `end`, all at 30 bits; its first symbol in `long_symbols`
    for length in sorted({length for _, _, length in long}):
        group = [(code, place) for place, (_, code, of) in enumerate(long) if of == length]
        ranges.append(((group[-1][0] + 1) << (30 - length), group[0][0], length, group[0][1]))

    by_symbol = {symbol: (code, length) for symbol, code, length in codes}
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("/* Made by huffman_tables.py. */\n")
        out.write("static const HuffmanCode codes[256] = {%s};\n" %
                  ",".join("{0x%x,%d}" % by_symbol[symbol] for symbol in range(END)))
        out.write("enum { SHORT_BITS = %d };\n" % SHORT)
        out.write("static const HuffmanShort short_codes[1 << SHORT_BITS] = {%s};\n" %
                  ",".join("{%d,%d}" % entry for entry in short))
        out.write("static const HuffmanRange ranges[] = {%s};\n" % ",".join("{0x%x,0x%x,%d,%d}" % row for row in ranges))
        out.write("static const uint16_t long_symbols[] = {%s};\n" % ",".join(str(symbol) for symbol, _, _ in long))


main()
