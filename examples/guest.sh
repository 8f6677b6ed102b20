#!/bin/sh
# Answers greeter.sh of another machine with a name, and shows what it says: two programs that talk to each other.
# wsd connect ws://localhost:8080/ ./examples/guest.sh
read -r question && echo "$question" >&2
echo Ann
read -r greeting && echo "$greeting" >&2
