#!/bin/sh
# Greets the user whom wsd knows, and sends each line back with the name.
# wsd --auth=basic:examples/demo.htpasswd ./examples/private.sh
printf 'Hello, %s. You are known by %s.\n' "${REMOTE_USER:-whoever you are}" "${AUTH_TYPE:-nothing}"
while IFS= read -r line; do
    printf '%s: %s\n' "$REMOTE_USER" "$line"
done
