#!/bin/sh
# Builds wsd and serves the demos, each a page with a program behind it.
set -eu

usage() {
    cat <<'END'
usage: ./start.sh [--port N] [--open]

Builds wsd in release mode and serves the demos: the pages in static/, the programs in
examples/, as examples/demos.toml says. The build needs Rust and a C compiler.

  --port N  listen on port N instead of 8080; 0 is any free port
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

has() {
    command -v "$1" >/dev/null 2>&1
}

# Ends with what the build lacks: cargo, rustc, the version in Cargo.toml, or a C compiler.
check_needs() {
    needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    for tool in cargo rustc; do
        has "$tool" || fail 1 "cannot build wsd: $tool is not installed" \
            "install Rust $needed or later, with rustup or from your system's packages"
        version=$("$tool" --version) || fail 1 "cannot build wsd: \`$tool --version\` failed" \
            "with rustup, choose a toolchain: rustup default stable"
        found=${version#"$tool "}
        found=${found%%[!0-9.]*}
        is_new_enough "$found" "$needed" || fail 1 "cannot build wsd: it needs Rust $needed or later, and this $tool is $found" \
            "with rustup, run: rustup update stable"
    done
    has cc || fail 1 "cannot build wsd: cc, a C compiler, is not installed" \
        "install gcc or clang, as with: apt-get install gcc libc6-dev"
}

# Whether the version $1 is at least $2; both begin with MAJOR.MINOR.
is_new_enough() {
    major=${1%%.*} minor=${1#*.}
    minor=${minor%%.*}
    [ "$major" -gt "${2%%.*}" ] || { [ "$major" -eq "${2%%.*}" ] && [ "$minor" -ge "${2#*.}" ]; }
}

# Hands the ready addresses on from standard input, and opens the first one in a browser.
announce() {
    IFS= read -r address || exit 0
    printf '%s\n' "$address"
    for opener in xdg-open open; do
        if has "$opener"; then
            "$opener" "$address" </dev/null >/dev/null 2>&1 || echo "start.sh: $opener cannot open the page" >&2
            exec cat
        fi
    done
    echo "start.sh: neither xdg-open nor open is installed; open $address yourself" >&2
    exec cat
}

port=8080
open=no
while [ $# -gt 0 ]; do
    case $1 in
        --port | -port)
            [ $# -gt 1 ] || fail 2 "\`$1\` needs a number" "write --port 9000"
            port=$2
            shift
            ;;
        --port=* | -port=*) port=${1#*=} ;;
        --open | -open) open=yes ;;
        --help | -help | -h) usage; exit 0 ;;
        *) fail 2 "unknown argument \`$1\`" "./start.sh --help lists what there is" ;;
    esac
    shift
done
case $port in
    '' | *[!0-9]* | ??????*) valid=no ;;
    *) [ "$port" -le 65535 ] && valid=yes || valid=no ;;
esac
[ "$valid" = yes ] || fail 2 "\`$port\` is not a port number" "a port is 0 to 65535"

CDPATH='' cd -- "$(dirname -- "$0")"

check_needs
if [ ! -e target/release/wsd ]; then
    echo "start.sh: building wsd; the first time takes some minutes" >&2
fi
cargo build --release --locked --target-dir target >&2 || fail 1 "cannot build wsd: cargo tells the cause above"

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
exec target/release/wsd "--port=$port" --config=examples/demos.toml
