#!/usr/bin/perl
# Prints so many numbered lines of so many bytes on standard output and on standard error at the same time. When a stream
# takes none for half a second, makes the file FOLDER/blocked-1 or -2, and then waits as long as it must.
use strict;
use warnings;

my ($total, $line_bytes, $folder) = @ARGV;
for my $stream (1, 2) {
    next if fork;
    open(my $out, '>&=', $stream) or die;
    close($stream == 1 ? *STDERR : *STDOUT);
    my $blocked = 0;
    for my $number (1 .. $total) {
        my $writable = '';
        vec($writable, $stream, 1) = 1;
        if (!$blocked && !select(undef, $writable, undef, 0.5)) {
            $blocked = 1;
            open(my $mark, '>', "$folder/blocked-$stream") or die;
        }
        syswrite($out, sprintf("%-*d\n", $line_bytes - 1, $number)) or exit 1;
    }
    exit 0;
}
1 while wait > 0;
