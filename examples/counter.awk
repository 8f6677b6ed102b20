#!/usr/bin/awk -f
# Counts to ten, half a second apart; fflush, because awk buffers output to a pipe.
# wsd --port 8080 ./examples/counter.awk
BEGIN {
    for (number = 1; number <= 10; number++) {
        print number
        fflush()
        # awk ignores Ctrl-C while sleep runs; sleep does not, and says so with its status.
        if (system("sleep 0.5") != 0)
            exit 1
    }
}
