#!/usr/bin/env python3
# Answers each message with its bytes in reverse: with a length before each message, any bytes will do.
# wsd --framing=length ./examples/lengths.py
import signal
import struct
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # end quietly on Ctrl-C
source, sink = sys.stdin.buffer, sys.stdout.buffer
while head := source.read(4):
    message = source.read(struct.unpack(">I", head)[0])
    sink.write(head + message[::-1])
    sink.flush()
