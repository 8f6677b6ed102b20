#!/bin/sh
# Follows the file $1, and shows the lines with the word after the ? of the URL; with --unbuffer, grep holds none back.
# wsd --unbuffer ./examples/filter.sh /var/log/dpkg.log
tail -n +1 -F -- "$1" | grep -Fe "$QUERY_STRING"
