#!/bin/sh
# Counts to ten, half a second apart; the shell writes each line at once.
# wsd --port 8080 ./examples/counter.sh
for number in 1 2 3 4 5 6 7 8 9 10; do
    echo "$number"
    sleep 0.5
done
