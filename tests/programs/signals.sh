#!/bin/sh
# Tells on standard error of the end of its input and of the signals it gets, and stays through all of them.
trap 'echo got INT >&2' INT
trap 'echo got TERM >&2' TERM
echo ready
while read -r _; do :; done
echo got EOF >&2
while :; do sleep 1; done
