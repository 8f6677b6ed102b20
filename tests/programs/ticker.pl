#!/usr/bin/perl
# Numbers its lines: a tick every millisecond, and between them whatever it hears. Ends at the end of its input.
use strict;
use warnings;

my ($number, $heard) = (0, '');
my $say = sub { syswrite(STDOUT, join '', map { ++$number . " $_\n" } @_) };
while (1) {
    my $readable = '';
    vec($readable, fileno(STDIN), 1) = 1;
    if (select($readable, undef, undef, 0.001)) {
        sysread(STDIN, $heard, 65536, length $heard) or exit;
        $say->(split /\n/, $1) if $heard =~ s/\A(.*\n)//s;
    }
    $say->('tick');
}
