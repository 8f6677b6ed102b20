#!/usr/bin/perl
# For --framing=json. Once somebody has said `go`: 100 numbered messages to all, after each 64 KiB to the first client alone,
# and a last one to all. Stays until the end of its input.
use strict;
use warnings;

my ($first) = <STDIN> =~ /"client":"(\w+)"/;
while (<STDIN>) { last if /"text":"go"/ }
for my $number (1 .. 100) {
    print "{\"text\":\"$number\"}\n{\"to\":\"$first\",\"text\":\"", 'x' x 65536, "\"}\n";
}
$| = 1;
print "{\"text\":\"over\"}\n";
1 while <STDIN>;
