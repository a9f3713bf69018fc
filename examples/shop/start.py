#!/usr/bin/python3
"""The shop to try things on: three backends, and the gateway before them, with its config in a folder: `make shop`.

start.py FOLDER [--any-ports]: the pages of docs/how-to begin with it. It serves until Ctrl-C. The folder is made anew, and stays.
With --any-ports the system gives the ports, and the last line says which."""
import pathlib
import shlex
import shutil
import signal
import sys

from stage import PORTS, Stage, any_ports, free, say_why_not


def folder_made_anew(path):
    if path.exists() and any(path.iterdir()) and not (path / "shop.yaml").exists():
        say_why_not(f"{path} is a folder of something else")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def main():
    anywhere = "--any-ports" in sys.argv
    taken = [str(port) for port in PORTS if not anywhere and not free(port)]
    if taken:
        say_why_not(f"Other programs listen on {', '.join(taken)}, which the pages of docs/how-to need: stop them first")
    folder = folder_made_anew(pathlib.Path(sys.argv[1]).resolve())
    stage = Stage(folder, any_ports(len(PORTS)) if anywhere else PORTS)
    stage.replace('log: "-"', "log: shop.log")
    stage.config += "\nnode: gw1\n"
    (folder / "env").write_text(f"export PATH={shlex.quote(str(pathlib.Path(stage.binary).parent))}:$PATH PASSERELLE_ADMIN=unix:shop.sock\n")
    try:
        for backend in stage.backends.values():
            backend.start()
        stage.start_gateway()
        print("The shop serves until Ctrl-C. In another terminal:", f"\n    cd {shlex.quote(str(folder))} && . ./env", flush=True)
        if anywhere:
            print(*(f"{wish}={port}" for wish, port in stage.ports.items()), flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        stage.stop(keep=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
