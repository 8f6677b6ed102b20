use super::*;

#[test]
fn the_parts_of_a_message_are_found_in_their_places() {
    let text = br#"{"jsonrpc":"2.0", "id" : 9007199254740993 ,"method":"tools/call","params":{"name":"a\u0062","arguments":{"x":1.0},
        "_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let parts = MessageParts::of(text).expect("a message");
    assert_eq!((parts.form, &*parts.method), (Form::Request, "tools/call"));
    assert_eq!(parts.id_text(text), Some(&b"9007199254740993"[..]));
    assert_eq!(parts.asked_progress.clone().map(|at| &text[at]), Some(&b"\"t\""[..]));
    assert_eq!(parts.arguments.clone().map(|at| &text[at]), Some(&b"{\"x\":1.0}"[..]));
    assert_eq!((parts.name.as_deref(), parts.claim.as_deref()), (Some("ab"), Some("2026-07-28")));
    assert!(parts.has_capabilities);
}

#[test]
fn an_answer_of_a_careless_server_is_one() {
    let table = [
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, true, None),
        (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":null}"#, true, None),
        (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-32601}}"#, false, Some(-32601)),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":"E1"}}"#, false, None),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1.5}}"#, false, None),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":99999999999999999999}}"#, false, None),
    ];
    for (text, has_result, code) in table {
        let parts = MessageParts::of(text.as_bytes()).expect(text);
        assert_eq!((parts.form, parts.result.is_some(), parts.error), (Form::Response, has_result, code), "{text}");
    }
}

#[test]
fn only_the_replaced_bytes_change() {
    let table = [
        (r#"{"jsonrpc":"2.0","id":"","method":"m","params":{"n":1e400,"s":"\ud83d \n"}}"#, "7"),
        (r#"{"id":1.0,"jsonrpc":"2.0","method":"m","params":{"a":[1.10,-0]}}"#, "7"),
        ("{\"jsonrpc\": \"2.0\",\r\n\t\"id\": \"é\",\n\"method\":\"m\"}\n", "7"),
    ];
    for (text, id) in table {
        let parts = MessageParts::of(text.as_bytes()).expect("a message");
        let at = parts.id.clone().expect("an id");
        let there = splice(text.as_bytes(), vec![(at.clone(), id.as_bytes())]);
        let changed = MessageParts::of(&there).expect("still a message");
        assert_eq!(changed.id_text(&there), Some(id.as_bytes()), "{text}");
        let back = splice(&there, vec![(changed.id.expect("an id"), &text.as_bytes()[at])]);
        assert_eq!(back, text.replace(['\r', '\n', '\t'], "").into_bytes(), "{text}");
    }
}

#[test]
fn other_texts_are_no_messages() {
    let deep = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}1{}}}", "[".repeat(128), "]".repeat(128));
    let table = [
        ("", true),
        ("{", true),
        ("{\"jsonrpc\":\"2.0\",\"method\":\"m\"} x", true),
        ("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"s\":\"\n\"}}", true),
        (&*deep, true),
        ("[{\"jsonrpc\":\"2.0\",\"method\":\"m\"}]", false),
        ("{\"method\":\"m\"}", false),
        ("{\"jsonrpc\":\"2.0\"}", false),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", false),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"m\"}", false),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}", false),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", false),
    ];
    for (text, is_not_json) in table {
        let why = MessageParts::of(text.as_bytes()).expect_err("no message");
        assert_eq!(why == NoMessage::NotJson, is_not_json, "{text}: {why:?}");
    }
}
