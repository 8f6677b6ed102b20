/* Counts to ten, half a second apart; setvbuf, because C buffers output to a pipe. */
/* cc -O2 -o counter examples/counter.c && wsd --port 8080 ./counter */
#include <stdio.h>
#include <time.h>

int main(void)
{
    const struct timespec half_a_second = {.tv_sec = 0, .tv_nsec = 500000000};

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (int number = 1; number <= 10; number++) {
        printf("%d\n", number);
        nanosleep(&half_a_second, NULL);
    }
    return 0;
}
