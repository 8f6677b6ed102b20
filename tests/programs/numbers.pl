#!/usr/bin/perl
# Prints so many numbered lines and takes as many, always a few hundred ahead of what it has taken. Says on standard error how
# many came in order, and ends with 1 if that is not all of them.
use strict;
use warnings;
use IO::Handle;

my ($total) = @ARGV;
my ($printed, $taken) = (0, 0);
while ($taken < $total) {
    my $ahead = $taken + 200 < $total ? $taken + 200 : $total;
    if ($printed < $ahead) {
        print join('', map { "$_\n" } $printed + 1 .. $ahead);
        STDOUT->flush;
        $printed = $ahead;
    }
    defined(my $line = <STDIN>) or last;
    $taken++;
    if ($line ne "$taken\n") {
        chomp $line;
        print STDERR "took $line in the place of $taken\n";
        exit 1;
    }
}
print STDERR "took all of $taken\n";
exit($taken == $total ? 0 : 1);
