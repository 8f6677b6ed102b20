//! `--auth-query`: a token in a URL spreads no further than to wsd.

use crate::harness::tree::Tree;

use super::kit::{self, TARGETS, TOKEN, start};

#[test]
fn no_program_sees_the_token_of_the_page_before_in_referer() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree), "--auth-query"]);
    let referrer = |query: &str| format!("http://{}/page.html{query}", server.host());
    let headers = format!(
        "Authorization: Bearer {TOKEN}\r\nReferer: {}\r\n",
        referrer(&format!("?a=1&access_token={TOKEN}&b=2"))
    );
    for (target, ask) in TARGETS {
        let text = ask(&server, &headers, "").text;
        assert!(!text.contains(TOKEN), "{target}: {text}");
        if text.contains("REMOTE_USER=") {
            assert!(text.contains(&format!("HTTP_REFERER={}\n", referrer("?a=1&b=2"))), "{target}: {text}");
        }
    }
}

#[test]
fn a_page_with_a_token_in_its_url_tells_no_other_server_of_it() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree), "--auth-query", "--header=Referrer-Policy: unsafe-url"]);
    for (path, status) in [("/page.html", 200), ("/env", 200), ("/nothing", 200)] {
        let response = server.get(&format!("{path}?access_token={TOKEN}"), "");
        assert_eq!((response.status, response.header("referrer-policy")), (status, Some("no-referrer")), "{response}");
        let response = server.get(path, &format!("Authorization: Bearer {TOKEN}\r\n"));
        assert_eq!((response.status, response.header("referrer-policy")), (status, Some("unsafe-url")), "{response}");
    }
    let response = server.get("/page.html?access_token=wrong", "");
    assert_eq!((response.status, response.header("referrer-policy")), (401, Some("no-referrer")), "{response}");
}
