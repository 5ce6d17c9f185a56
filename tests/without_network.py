"""Run a command where there is no network but the loopback. Not a test itself: `make test` runs the tests in it.

    python tests/without_network.py python -m pytest -q

Linux gives the process a network of its own (a namespace) with nothing in it but `lo`: everything started in there, of
whatever language, is cut off by the kernel. That takes no rights where users may have namespaces of their own. Where
they may not (some containers, Ubuntu's AppArmor), this says so and runs the command as it is: the guard of
`records.cutoff`, under which the circle's services run in any case, is then the only cut.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def cut_off() -> str | None:
    """Leave the machine's network for one with `lo` alone; None when that is done, else why it cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if not hasattr(libc, "unshare"):
        return "this system has no namespaces"
    if libc.unshare(_NEWNET) != 0:
        if libc.unshare(_NEWUSER | _NEWNET) != 0:
            return os.strerror(ctypes.get_errno())
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_one:
        asked = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_one, _GET_FLAGS, asked)[:18])[1]
        fcntl.ioctl(any_one, _SET_FLAGS, struct.pack("16sh", b"lo", flags | _UP))
    return None


def is_cut_off() -> bool:
    """Whether this process has no network interface but the loopback."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    why = cut_off()
    print(
        f"network: {f'not cut off by the kernel ({why})' if why else 'cut off but for the loopback'}", file=sys.stderr
    )
    os.execvp(sys.argv[1], sys.argv[1:])
