#!/usr/bin/env perl
# Counts to ten, half a second apart; autoflush, because Perl buffers output to a pipe.
# wsd --port 8080 ./examples/counter.pl
use v5.14;
use warnings;
use Time::HiRes qw(sleep);

STDOUT->autoflush(1);

for my $number (1 .. 10) {
    say $number;
    sleep 0.5;
}
