//! Properties of the negotiation of compression.

use crate::deflate::negotiation::{accept, answer};

/// Checks the offers of compression: an answer keeps the rules for offers and for answers, and the first good offer is taken.
pub fn offers(data: &[u8]) {
    const GOOD: &str = "permessage-deflate; server_max_window_bits=10";
    let text = &*String::from_utf8_lossy(data);
    let (answered, good) = (answer([text]), answer([GOOD]));
    if let Some((agreement, given)) = &answered {
        assert!((9..=15).contains(&agreement.window_bits), "{agreement:?}");
        assert_eq!(answer([&**given]), answered);
        assert!(accept(given).is_some_and(|of_client| !of_client.keeps), "{given}");
    }
    assert_eq!(answer([&*format!("{GOOD},{text}")]), good);
    assert_eq!(answer([text, GOOD]), answered.or(good));
    if let Some(agreement) = accept(text) {
        assert!((8..=15).contains(&agreement.window_bits), "{agreement:?}");
    }
}
