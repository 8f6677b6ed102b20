#!/usr/bin/perl
# Prints so many bytes in lines once somebody says `fill`, and ends with status 3 once somebody says `end`.
use strict;
use warnings;

my ($fill) = @ARGV;
$| = 1;
while (<STDIN>) {
    if ($_ eq "fill\n") {
        print 'x' x 1000, "\n" for 1 .. $fill / 1000;
        print "filled\n";
    } elsif ($_ eq "end\n") {
        exit 3;
    }
}
