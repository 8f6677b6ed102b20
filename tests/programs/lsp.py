#!/usr/bin/env python3
# A server that speaks the base protocol of LSP: echoes each body, and ends at the body "exit". Its names of headers are in
# lower case, and the header and the body leave in two writes.
import os
import sys


def messages(stream):
    length = None
    while line := stream.readline():
        if name_and_value := line.strip():
            name, value = name_and_value.split(b':')
            length = int(value) if name.lower() == b'content-length' else length
        else:
            yield stream.read(length)


for body in messages(sys.stdin.buffer):
    if body == b'"exit"':
        break
    os.write(1, b'content-type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: %d\r\n\r\n' % len(body))
    os.write(1, body)
