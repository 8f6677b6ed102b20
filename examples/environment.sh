#!/bin/sh
# Prints its environment: the variables that wsd sets for each client (PWD and the like come from the shell).
# wsd --port 8080 --passenv PATH,LANG ./examples/environment.sh
env | LC_ALL=C sort
