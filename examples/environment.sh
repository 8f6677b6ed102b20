#!/bin/sh
# Prints its environment: what wsd tells a program about its client (PWD and the like are the shell's).
# wsd --port 8080 --passenv PATH,LANG ./examples/environment.sh
env | LC_ALL=C sort
