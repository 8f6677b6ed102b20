#!/bin/sh
# Sends every line back unchanged; cat -u writes at once what it has read.
# wsd --port 8080 ./examples/echo.sh
exec cat -u
