#!/bin/sh
# Follows a log file, also when it is rotated: its last ten lines, then each new one as it is written.
# wsd --port 8080 ./examples/follow.sh /var/log/syslog
#
# tail never ends by itself; wsd stops it when the client has left.
if [ $# -ne 1 ]; then
    echo "usage: follow.sh FILE" >&2
    exit 2
fi
exec tail -n 10 -F -- "$1"
