"""Compiles config.proto for protobuf-c: compile_proto.py PROTOC_C ROOT PROTOBUF_INCLUDE OUT.c OUT.h.

The options of document.proto are read from the descriptor set at run time. For C they mean nothing, and
protobuf-c would need all of descriptor.proto for them: their include is left out.
"""
import pathlib
import subprocess
import sys
import tempfile

protoc_c, root, include, out_c, out_h = sys.argv[1:]
with tempfile.TemporaryDirectory() as made:
    subprocess.run([protoc_c, f'-I{root}', f'-I{include}', f'--c_out={made}', 'gateway/config/config.proto'],
                   check=True)
    for out, suffix in (out_c, 'c'), (out_h, 'h'):
        text = (pathlib.Path(made) / f'gateway/config/config.pb-c.{suffix}').read_text()
        pathlib.Path(out).write_text(text.replace('#include "adapters/document/document.pb-c.h"\n', ''))
