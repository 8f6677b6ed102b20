#!/bin/sh
# Says its process id, then ignores the end of its input and every signal that can be ignored.
trap '' INT TERM HUP
echo $$
while :; do sleep 1; done
