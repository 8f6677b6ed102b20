//! Reads a body that is a JSON array of texts, each of them a message.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    Deserializer as _,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// The texts, one behind the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Texts {
    /// The texts.
    pub(super) body: Bytes,
    /// Their ends in the body.
    pub(super) ends: Vec<usize>,
}

/// The fault of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextsFault {
    /// It is no array of texts.
    Invalid,
    /// The texts are longer than a message may be.
    TooLong,
    /// There are too many texts.
    TooMany,
}

/// Reads up to `count_max` texts of `bytes_max` bytes together.
pub(super) fn read(json: &[u8], bytes_max: usize, count_max: usize) -> Result<Texts, TextsFault> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = reader.deserialize_seq(TextsReader { bytes_max, count_max }).map_err(|_| TextsFault::Invalid)?;
    reader.end().map_err(|_| TextsFault::Invalid)?;
    read
}

/// Collects the texts of an array while they are within the limits.
struct TextsReader {
    bytes_max: usize,
    count_max: usize,
}

impl<'de> Visitor<'de> for TextsReader {
    type Value = Result<Texts, TextsFault>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut body, mut ends) = (String::new(), Vec::new());
        while let Some(text) = seq.next_element::<Cow<'_, str>>()? {
            let fault = if ends.len() == self.count_max {
                TextsFault::TooMany
            } else if body.len() + text.len() > self.bytes_max {
                TextsFault::TooLong
            } else {
                body.push_str(&text);
                ends.push(body.len());
                continue;
            };
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Err(fault));
        }
        ends.shrink_to_fit();
        // A box has no spare memory.
        Ok(Ok(Texts { body: body.into_boxed_str().into_boxed_bytes().into(), ends }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_within_both_limits() {
        let texts = |body: &'static str, ends: &[usize]| Ok(Texts { body: Bytes::from(body), ends: ends.to_vec() });
        let table: [(&str, _); 12] = [
            ("[]", texts("", &[])),
            (r#"["a\nb","",""]"#, texts("a\nb", &[3, 3, 3])),
            (r#" ["\u0001\u0001\u0001", "\u0001"] "#, texts("\u{1}\u{1}\u{1}\u{1}", &[3, 4])),
            (r#"["\ud83d\ude00"]"#, texts("\u{1f600}", &[4])),
            (r#"["abc","de"]"#, Err(TextsFault::TooLong)),
            (r#"["abcde"]"#, Err(TextsFault::TooLong)),
            (r#"["","","",""]"#, Err(TextsFault::TooMany)),
            (r#"["","","","" x"#, Err(TextsFault::Invalid)),
            (r#"["abcde""#, Err(TextsFault::Invalid)),
            (r#"["a", 1]"#, Err(TextsFault::Invalid)),
            (r#"["a"] x"#, Err(TextsFault::Invalid)),
            (r#"{"a": 1}"#, Err(TextsFault::Invalid)),
        ];
        for (json, want) in table {
            assert_eq!(read(json.as_bytes(), 4, 3), want, "{json}");
        }
    }
}
