#!/bin/sh
# Sends every line back as it came; cat -u writes what it has read at once.
# wsd --port 8080 ./examples/echo.sh
exec cat -u
