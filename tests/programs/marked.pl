#!/usr/bin/perl
# For --framing=json: fills the seat of the client that said `mark` with so many bytes, closes it, counts what it says from then
# on, tells when it has left, and ends, as other clients say.
use strict;
use warnings;

my ($fill) = @ARGV;
my ($marked, $is_closed, $heard) = ('', 0, 0);
$| = 1;
while (<STDIN>) {
    my ($event) = /"event":"(\w+)"/;
    my ($client) = /"client":"(\w+)"/;
    if ($client eq $marked) {
        $heard += $is_closed if $event eq 'message';
        my ($code) = /"code":(\d+)/;
        print "{\"text\":\"left $code\"}\n" if $event eq 'close';
        next;
    }
    my ($said) = /"text":"(\w{1,9})"/ or next;
    if ($said eq 'mark') {
        $marked = $client;
        print "{\"to\":\"$marked\",\"text\":\"marked\"}\n";
    } elsif ($said eq 'fill') {
        print "{\"to\":\"$marked\",\"text\":\"", 'x' x 1000, "\"}\n" for 1 .. $fill / 1000;
        print "{\"to\":\"$client\",\"text\":\"filled\"}\n";
    } elsif ($said eq 'close') {
        $is_closed = 1;
        print "{\"close\":\"$marked\",\"code\":4001}\n{\"to\":\"$client\",\"text\":\"closed\"}\n";
    } elsif ($said eq 'count') {
        print "{\"to\":\"$client\",\"text\":\"$heard heard\"}\n";
    } elsif ($said eq 'end') {
        exit 3;
    }
}
