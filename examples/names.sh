#!/bin/sh
# Prefixes each message with its sender, and announces joins and leaves: jq turns each event into commands.
# wsd --shared --framing=json ./examples/names.sh
exec jq -c --unbuffered '
    .client[:4] as $name
    | if .event == "open" then
        {text: "You are \($name).", to: .client}, {text: "\($name) has come.", except: .client}
    elif .event == "close" then {text: "\($name) has left."}
    elif .text == "bye" then {close: .client, code: 4000, reason: "See you."}
    elif .text then {text: "\($name): \(.text)"}
    else empty end'
