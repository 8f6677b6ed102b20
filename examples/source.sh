#!/bin/sh
# Lists the texts of the demos, or prints the one that the query names: docs, programs and pages.
# wsd ./examples/source.sh
#
# It prints nothing but what it lists: a name of the query is compared, never opened.
for file in *.md docs/*.md fuzz/*.md examples/*.* static/*.*; do
    [ -f "$file" ] || continue
    case $QUERY_STRING in
        '') echo "$file" ;;
        "$file") exec cat -- "$file" ;;
    esac
done
[ -z "$QUERY_STRING" ]
