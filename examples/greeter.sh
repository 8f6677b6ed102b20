#!/bin/sh
# Asks for a name, greets it, then waits for the next: a line in, a line out.
# wsd --port 8080 ./examples/greeter.sh
echo "What is your name?"
while IFS= read -r name; do
    printf 'Hello, %s!\n' "${name:-whoever you are}"
done
