#!/usr/bin/env ruby
# Counts to ten, half a second apart; sync, because Ruby buffers output to a pipe.
# wsd --port 8080 ./examples/counter.rb
$stdout.sync = true

# End quietly, without a backtrace, on Ctrl-C and when the client has left.
trap 'INT', 'SYSTEM_DEFAULT'

1.upto(10) do |number|
  puts number
  sleep 0.5
end
