#!/bin/sh
# A calculator: bc evaluates each line; wsd sends back its results and its errors.
# wsd --port 8080 ./examples/calculator.sh
#
# Send it 6*7, 22/7, scale=3, x=2^64, x-1 or sqrt(2).
#
# bc opens no file and starts no program, but a line can make it loop for ever or fill the memory. So the limits are
# ten seconds of processor time in all, and 256 MiB (where the system can limit that).
# shellcheck disable=SC3045  # not in POSIX, but in dash, bash, ksh and busybox alike
ulimit -t 10
# shellcheck disable=SC3045
ulimit -v 262144 2>/dev/null

# 0: a long result is one line, not many.
export BC_LINE_LENGTH=0
exec bc -q -l 2>&1
