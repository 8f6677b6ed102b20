#!/usr/bin/perl
# Writes its argument once for each place at which it can be cut: the front, and a millisecond later the rest.
use strict;
use warnings;

my ($text) = @ARGV;
for my $cut (0 .. length $text) {
    syswrite STDOUT, substr $text, 0, $cut;
    select undef, undef, undef, 0.001;
    syswrite STDOUT, substr $text, $cut;
}
