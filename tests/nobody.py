"""What tests run without the rights of root."""
import os
import pwd


def as_nobody(*words):
    """The command line that runs these words as nobody, where we are root. Not by subprocess itself: that forks, which a process with
    threads of gRPC does not always survive."""
    nobody = pwd.getpwnam("nobody")
    return [*(["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"] if os.geteuid() == 0 else []), *words]
