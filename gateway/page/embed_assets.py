#!/usr/bin/python3
"""Makes the table of gateway/page/asset.h from all files of a folder.

  embed_assets.py FOLDER OUTPUT DEPFILE

Scripts and styles of our own are embedded without comments, spaces and long names of variables: esbuild reads each file alone, so the
page has the same files as the folder. What is in `vendor` stays as its makers have made it.
The folders are dependencies, too: a file that comes or goes makes the table anew. The same files always give the same table.
"""
import gzip
import hashlib
import pathlib
import subprocess
import sys

MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
               ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
               ".LICENSE": "text/plain; charset=utf-8"}


def literal(content):
    """A C string of the bytes. Three octal digits end by themselves, whatever follows."""
    text = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in content)
    return f'"{text}"'


def is_asset(path):
    return path.is_file() and not path.name.startswith(".") and not path.name.endswith("~")


def content_of(folder, path):
    """The bytes that are served."""
    if path.suffix not in (".js", ".css") or path.is_relative_to(folder / "vendor"):
        return path.read_bytes()
    return subprocess.run(["esbuild", "--minify", f"--loader={path.suffix[1:]}", "--log-level=warning"], input=path.read_bytes(),
                          stdout=subprocess.PIPE, check=True).stdout


def row(folder, path):
    content = content_of(folder, path)
    packed = gzip.compress(content, 9, mtime=0)
    packed = packed if len(packed) < len(content) else b""
    return (f'    {{"/page/{path.relative_to(folder)}", "{MEDIA_TYPES[path.suffix]}",\n'
            f'     "W/\\"{hashlib.sha256(content).hexdigest()[:16]}\\"",\n'
            f"     {{(const uint8_t *){literal(content)}, {len(content)}}},\n"
            f"     {{(const uint8_t *){literal(packed)}, {len(packed)}}}}},\n")


def main(folder, output, depfile):
    folder = pathlib.Path(folder)
    files = sorted((path for path in folder.rglob("*") if is_asset(path)), key=lambda path: str(path.relative_to(folder)).encode())
    for path in files:
        if path.suffix not in MEDIA_TYPES:
            sys.exit(f"{path}: no media type is known for {path.suffix or 'a name without a suffix'}: add it to {__file__}")
    pathlib.Path(output).write_text(
        '#include "gateway/page/asset.h"\n\nconst Asset assets[] = {\n' + "".join(row(folder, path) for path in files) +
        "};\n\nconst size_t n_assets = sizeof assets / sizeof *assets;\n")
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    pathlib.Path(depfile).write_text(f"{output}: {' '.join(map(str, [*files, *folders]))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
