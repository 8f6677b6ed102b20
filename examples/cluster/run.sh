#!/bin/sh
# Starts a Redis, three nodes of wsd and a balancer (nginx or HAProxy) on this machine, without root. Ctrl-C stops all of it.
#
#   examples/cluster/run.sh [PORT]      then open http://localhost:8080/chat.html and http://localhost:8080/connect4.html
#
# WSD is the program of wsd, such as target/release/wsd. REDIS_PORT and NODE_PORT are the port of Redis and the first port of the nodes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-8080}
wsd=${WSD:-wsd}
redis_port=${REDIS_PORT:-6390}
node_port=${NODE_PORT:-8091}
fail() {
    echo "run.sh: $1" >&2
    exit 1
}
# nginx and HAProxy are there, which is not in the PATH of all users.
PATH=$PATH:/usr/sbin
command -v "$wsd" >/dev/null || fail "$wsd is not installed: set WSD to its path, such as target/release/wsd"
wsd=$(command -v "$wsd")
case $wsd in /*) ;; *) wsd=$PWD/$wsd ;; esac
for program in redis-server redis-cli python3; do
    command -v "$program" >/dev/null || fail "$program is not installed"
done
command -v nginx >/dev/null || command -v haproxy >/dev/null || fail "neither nginx nor haproxy is installed"
if redis-cli -p "$redis_port" ping >/dev/null 2>&1; then fail "another Redis is at port $redis_port: set REDIS_PORT"; fi
dir=$(mktemp -d)
redis=
balancer=
nodes=
stop() {
    trap - EXIT INT TERM
    # Redis goes last: the nodes tell it that they stop.
    for pid in $balancer $nodes; do kill "$pid" 2>/dev/null || true; done
    for pid in $balancer $nodes; do wait "$pid" || true; done
    [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
    wait
    rm -r "$dir"
}
trap stop EXIT
trap 'exit 0' INT TERM

redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" >"$dir/redis.log" &
redis=$!
until redis-cli -p "$redis_port" ping >/dev/null 2>&1; do
    kill -0 "$redis" 2>/dev/null || { cat "$dir/redis.log" >&2; fail "redis-server does not start"; }
    sleep 0.1
done

servers=
for node in a b c; do
    cd "$here/../.."
    "$wsd" --bus="redis://127.0.0.1:$redis_port" --node="$node" --port="$node_port" --config="$here/nodes.toml" >"$dir/$node" &
    nodes="$nodes $!"
    # A node prints its URLs when it is ready.
    until [ -s "$dir/$node" ]; do
        kill -0 "$!" 2>/dev/null || fail "the node at port $node_port does not start: NODE_PORT is the first of three free ports"
        sleep 0.1
    done
    servers="$servers $node:$node_port"
    node_port=$((node_port + 1))
done

if command -v nginx >/dev/null; then
    {
        echo "daemon off; pid $dir/nginx.pid; error_log stderr warn; events {}"
        echo "http { access_log off;"
        for kind in body proxy fastcgi uwsgi scgi; do
            case $kind in body) echo "client_body_temp_path $dir/body;" ;; *) echo "${kind}_temp_path $dir/$kind;" ;; esac
        done
        echo "upstream nodes {"
        for server in $servers; do echo "server 127.0.0.1:${server#*:};"; done
        echo "}"
        echo "map \$http_upgrade \$connection_upgrade { default upgrade; '' ''; }"
        echo "server { listen 127.0.0.1:$port; location / {"
        echo "proxy_pass http://nodes; proxy_http_version 1.1; proxy_read_timeout 1h; proxy_buffering off;"
        echo "proxy_set_header Host \$http_host; proxy_set_header X-Forwarded-For \$remote_addr;"
        echo "proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection \$connection_upgrade;"
        echo "} } }"
    } >"$dir/nginx.conf"
    nginx -p "$dir" -c "$dir/nginx.conf" -e stderr &
else
    {
        echo "defaults"
        echo "  mode http"
        echo "  timeout connect 5s"
        echo "  timeout client 1h"
        echo "  timeout server 1h"
        echo "  option forwardfor"
        echo "listen wsd"
        echo "  bind 127.0.0.1:$port"
        for server in $servers; do echo "  server ${server%:*} 127.0.0.1:${server#*:} check"; done
    } >"$dir/haproxy.cfg"
    haproxy -f "$dir/haproxy.cfg" &
fi
balancer=$!
echo "open http://localhost:$port/chat.html and http://localhost:$port/connect4.html in two windows; kill one of the nodes:$nodes"
wait "$balancer" || true
echo "run.sh: the balancer has ended: if port $port is taken, write another one behind run.sh" >&2
false
