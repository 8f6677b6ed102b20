#!/usr/bin/perl
# Prints so many bytes in lines once somebody says `fill`, and ends with status 3 once somebody says `end`. With `all` it
# prints until nobody has taken anything for a second.
use strict;
use warnings;
use IO::Handle;

my ($fill) = @ARGV;
$| = 1;
STDOUT->blocking(0) if $fill eq 'all';
while (<STDIN>) {
    if ($_ eq "fill\n") {
        if ($fill eq 'all') {
            print_all();
            next;
        }
        print 'x' x 1000, "\n" for 1 .. $fill / 1000;
        print "filled\n";
    } elsif ($_ eq "end\n") {
        exit 3;
    }
}

sub print_all {
    vec(my $output = '', fileno(STDOUT), 1) = 1;
    my $line = 'x' x 1000 . "\n";
    while (select(undef, my $ready = $output, undef, 1)) {
        # Half a line is as good: only the bytes count.
        syswrite(STDOUT, $line);
    }
}
