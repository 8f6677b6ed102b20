#!/bin/sh
# Follows a log file, also when it is rotated: prints its last ten lines, then each new line.
# wsd --port 8080 ./examples/follow.sh /var/log/syslog
#
# tail never exits by itself; wsd stops it when the client has left.
if [ $# -ne 1 ]; then
    echo "usage: follow.sh FILE" >&2
    exit 2
fi
exec tail -n 10 -F -- "$1"
