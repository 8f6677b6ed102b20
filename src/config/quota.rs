//! Parses lists of limits: `cpu=2,memory=64M`.

use super::error::Error;
use crate::cli::{
    types::{Assignments, bytes},
    value::Flag,
};

/// The kind of a limit's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quota {
    /// A whole number above 0.
    Count,
    /// Bytes, with `k`, `M` or `G` for powers of 1024.
    Bytes,
    /// A number above 0 with up to three decimals. The result counts thousandths.
    Thousandths,
}

impl Quota {
    fn read(self, text: &str) -> Option<u64> {
        let value = match self {
            Self::Count => text.parse().ok(),
            Self::Bytes => bytes(text),
            Self::Thousandths => {
                let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
                let is_short = (1..=3).contains(&decimals.len()) && decimals.bytes().all(|byte| byte.is_ascii_digit());
                let decimals = format!("{decimals:0<3}").parse::<u64>().ok().filter(|_| is_short)?;
                whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(decimals)
            }
        };
        // Twice as much as any machine has still fits the kernel's signed numbers.
        value.filter(|value| (1..=u64::MAX >> 2).contains(value))
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Count => "a whole number above 0",
            Self::Bytes => "a number of bytes above 0, such as 65536, 64k, 64M or 1G",
            Self::Thousandths => "a number of processors above 0, such as 2 or 0.5",
        }
    }
}

/// Reads the limits in the value of `flag`: one for each word of `known`, in this order. An empty text has none.
pub(super) fn limits<const N: usize>(
    flag: &str,
    given: &Flag<Assignments>,
    known: [(&str, Quota); N],
) -> Result<[Option<u64>; N], Error> {
    let mut limits = [None; N];
    let texts = given.0.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty());
    for text in texts {
        let refused = |why: &str, hint: String| {
            Err(Error::new(format!("invalid limit `{text}` in {flag}: {why}"), hint).about(given))
        };
        let (word, value) =
            text.split_once('=').map_or((text, None), |(word, value)| (word.trim(), Some(value.trim())));
        let Some(at) = known.iter().position(|(name, _)| *name == word) else {
            let words = known.map(|(name, _)| format!("{name}="));
            return refused(&format!("unknown word `{word}`"), format!("use the words {}", words.join(", ")));
        };
        let quota = known[at].1;
        let Some(limit) = quota.read(value.unwrap_or_default()) else {
            let hint = format!("write {flag}={word}=N with a valid value, or leave {word} out for no limit");
            return refused(&format!("expected {}", quota.expected()), hint);
        };
        if limits[at].replace(limit).is_some() {
            return refused(&format!("`{word}` is there twice"), "remove one of them".to_owned());
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_in_its_unit() {
        let table = [
            (Quota::Count, "20", Some(20)),
            (Quota::Count, "0", None),
            (Quota::Count, "-1", None),
            (Quota::Count, "20k", None),
            (Quota::Bytes, "4096", Some(4096)),
            (Quota::Bytes, "64k", Some(64 << 10)),
            (Quota::Bytes, "64K", Some(64 << 10)),
            (Quota::Bytes, "3M", Some(3 << 20)),
            (Quota::Bytes, "2G", Some(2 << 30)),
            (Quota::Bytes, "2GM", None),
            (Quota::Bytes, "1.5G", None),
            (Quota::Bytes, "M", None),
            (Quota::Bytes, "99999999999G", None),
            (Quota::Thousandths, "2", Some(2000)),
            (Quota::Thousandths, "0.5", Some(500)),
            (Quota::Thousandths, "1.25", Some(1250)),
            (Quota::Thousandths, "0", None),
            (Quota::Thousandths, "1.", None),
            (Quota::Thousandths, "0.0005", None),
            (Quota::Thousandths, "x", None),
        ];
        for (quota, text, want) in table {
            assert_eq!(quota.read(text), want, "{quota:?} {text}");
        }
    }
}
