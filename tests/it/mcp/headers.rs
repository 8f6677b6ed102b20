//! The headers that tools ask for.

use super::client::{fault, heads, modern, start, text, value};

#[test]
fn a_header_that_a_tool_asks_for_must_be_equal_to_the_argument() {
    let server = start(&[], "modern", &[]);
    let call = modern("1", "tools/call", "\"name\":\"echo\",\"arguments\":{\"text\":\"é\"}");
    let own = heads("tools/call", "echo");
    assert_eq!(server.post("/", &own, &*call).status, 200, "wsd does not know the tool yet");
    assert_eq!(server.post("/", &heads("tools/list", ""), modern("1", "tools/list", "")).status, 200);

    let right = server.post("/", &format!("{own}Mcp-Param-Text: =?base64?w6k=?=\r\n"), &*call);
    assert_eq!(text(&value(&right)), "é");
    for wrong in ["", "Mcp-Param-Text: e\r\n", "Mcp-Param-Text: =?base64?x?=\r\n"] {
        assert_eq!(fault(&server.post("/", &format!("{own}{wrong}"), &*call)), (400, -32020), "{wrong}");
    }
    let named = heads("tools/call", "=?base64?ZWNobw==?=");
    let plain = modern("1", "tools/call", "\"name\":\"echo\"");
    assert_eq!(server.post("/", &named, &*plain).status, 200, "an absent argument has no header");
}
