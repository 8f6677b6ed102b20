#!/usr/bin/perl
# Once it has been told to begin, by a line: prints numbered lines of so many bytes, so many a round; after each round it
# waits for so many lines of input, which tell that those who keep up have kept up. Stays until the end of its input.
use strict;
use warnings;

my ($rounds, $lines, $line_bytes, $answers) = @ARGV;
$| = 1;
defined <STDIN> or exit;
for my $round (1 .. $rounds) {
    print map { sprintf("%-*d\n", $line_bytes - 1, ($round - 1) * $lines + $_) } 1 .. $lines;
    for (1 .. $answers) { defined <STDIN> or exit }
}
1 while <STDIN>;
