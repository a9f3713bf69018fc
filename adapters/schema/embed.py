"""Writes a file's bytes as a C array: embed.py FILE NAME OUT."""
import sys

source, name, out = sys.argv[1:]
data = open(source, 'rb').read()
lines = [', '.join(str(byte) for byte in data[i:i + 24]) for i in range(0, len(data), 24)]
with open(out, 'w') as f:
    f.write('#include "base/bytes.h"\n\n')
    f.write(f'extern const Bytes {name};\n\n')
    f.write('static const uint8_t data[] = {\n    ' + ',\n    '.join(lines) + '};\n\n')
    f.write(f'const Bytes {name} = {{data, sizeof(data)}};\n')
