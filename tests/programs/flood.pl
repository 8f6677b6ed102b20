#!/usr/bin/perl
# Prints so many numbered lines of so many bytes. When standard output takes none for half a second, it says so once on
# standard error and then waits as long as it must.
use strict;
use warnings;

my ($total, $line_bytes) = @ARGV;
my $blocked = 0;
for my $number (1 .. $total) {
    my $writable = '';
    vec($writable, fileno(STDOUT), 1) = 1;
    if (!$blocked && !select(undef, $writable, undef, 0.5)) {
        $blocked = 1;
        print STDERR "blocked at $number\n";
    }
    syswrite(STDOUT, sprintf("%-*d\n", $line_bytes - 1, $number)) or exit 1;
}
