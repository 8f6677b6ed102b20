#!/bin/sh
# Builds wsd and serves the demos, each a page with a program behind it.
set -eu

usage() {
    cat <<'END'
usage: ./start.sh [--port=N] [--open]

Builds wsd in release mode and serves the demos: the pages in static/, the programs in
examples/, as examples/demos.toml says.

  --port=N  listen on port N instead of 8080; 0 is any free port
  --open    open the page in a browser
  --help    print this and exit

The address stands on standard output once the server listens; Ctrl-C ends it.
END
}

# Ends with status $1, the error $2 and, where there is a way out, the hint $3.
fail() {
    printf 'start.sh: %s\n' "$2" >&2
    [ -z "${3-}" ] || printf 'hint: %s\n' "$3" >&2
    exit "$1"
}

# Hands the ready addresses on from standard input, and opens the first one in a browser.
announce() {
    IFS= read -r address || exit 0
    printf '%s\n' "$address"
    for opener in xdg-open open; do
        if command -v "$opener" >/dev/null 2>&1; then
            "$opener" "$address" </dev/null >/dev/null 2>&1 || echo "start.sh: $opener cannot open the page" >&2
            exec cat
        fi
    done
    echo "start.sh: neither xdg-open nor open is installed; open $address yourself" >&2
    exec cat
}

port=8080
open=no
for argument in "$@"; do
    case $argument in
        --port=*) port=${argument#--port=} ;;
        --open) open=yes ;;
        --help | -h) usage; exit 0 ;;
        *) fail 2 "unknown argument \`$argument\`" "./start.sh --help lists what there is" ;;
    esac
done
case $port in
    '' | *[!0-9]* | ??????*) valid=no ;;
    *) [ "$port" -le 65535 ] && valid=yes || valid=no ;;
esac
[ "$valid" = yes ] || fail 2 "\`--port=$port\` is no port number" "a port is 0 to 65535"

CDPATH='' cd -- "$(dirname -- "$0")"

command -v cargo >/dev/null 2>&1 || fail 1 "cannot build wsd: cargo is not installed" "README.md says what a build needs"
echo "start.sh: building wsd; the first time takes a while" >&2
if ! output=$(cargo build --release --quiet --target-dir target 2>&1); then
    printf '%s\n' "$output" >&2
    fail 1 "cannot build wsd"
fi

counter=./examples/counter.sh
if command -v cc >/dev/null 2>&1 && cc -O2 -o target/counter examples/counter.c 2>/dev/null; then
    counter=./target/counter
fi

if [ "$port" -ne 0 ]; then
    echo "start.sh: the page will be at http://localhost:$port/" >&2
fi
if [ "$open" = yes ]; then
    # wsd takes the place of this script, so the addresses go through a pipe to a process of their own.
    folder=$(mktemp -d)
    mkfifo "$folder/ready"
    (announce <"$folder/ready" &)
    exec >"$folder/ready"
    rm -r "$folder"
fi
exec target/release/wsd "--port=$port" --config=examples/demos.toml "--route=/counter=$counter"
