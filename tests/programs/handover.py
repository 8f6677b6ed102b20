#!/usr/bin/env python3
# Does what systemd does at socket activation: opens sockets, hands them over from descriptor 3 on, becomes the command.
# handover.py NAME=KIND... -- COMMAND [ARGS], where KIND is tcp, tcp6, all (0.0.0.0), unix:PATH,
# dead:FIFO (accepts no more after a line of that), udp, stream (connected) or null.
# Says on standard error where each one is: `handed NAME ADDRESS`.
import fcntl
import os
import socket
import sys

ABOVE_ALL = 64


def open_one(kind):
    if kind == "null":
        return os.open("/dev/null", os.O_RDWR), "-"
    if kind.startswith("unix:"):
        path = kind.removeprefix("unix:")
        one = socket.socket(socket.AF_UNIX)
        one.bind("\0" + path[1:] if path.startswith("@") else path)
        one.listen()
        return one.detach(), path
    if kind == "stream":
        one, other = socket.socketpair()
        other.detach()
        return one.detach(), "-"
    family = socket.AF_INET6 if kind == "tcp6" else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    one.bind(({"tcp6": "::1", "all": "0.0.0.0"}.get(kind, "127.0.0.1"), 0))
    if kind != "udp":
        one.listen()
    if kind.startswith("dead:") and os.fork() == 0:
        with open(kind.removeprefix("dead:")) as fifo:
            fifo.read()
        one.shutdown(socket.SHUT_RDWR)
        os._exit(0)
    host, port = one.getsockname()[:2]
    return one.detach(), f"[{host}]:{port}" if kind == "tcp6" else f"{host}:{port}"


border = sys.argv.index("--")
names = []
high = []
for word in sys.argv[1:border]:
    name, _, kind = word.partition("=")
    descriptor, place = open_one(kind)
    print(f"handed {name} {place}", file=sys.stderr, flush=True)
    names.append(name)
    high.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, ABOVE_ALL))
for number, descriptor in enumerate(high, start=3):
    os.dup2(descriptor, number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)}
if "WATCHDOG_USEC" in os.environ:
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[border + 1], sys.argv[border + 1 :])
