#!/bin/sh
# Counts the words of a text, the most frequent first: with curl a filter on another machine.
# wsd --port 8080 --http ./examples/words.sh, then: curl --data-binary @README.md http://localhost:8080/
tr -cs '[:alnum:]' '\n' | tr '[:upper:]' '[:lower:]' | grep . | sort | uniq -c | sort -k1,1nr -k2 | head -n 10
