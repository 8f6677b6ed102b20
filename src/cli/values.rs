//! The values of flags: text in, values out, or what they should have been.

use std::{num::NonZero, time::Duration};

/// Go's booleans.
pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is `true` or `false`"),
    }
}

/// Go's integers, except that a leading zero is no octal: `8080`, `0x1F90`, `8_080`.
pub(super) fn integer(text: &str) -> Result<i64, &'static str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let digits = digits.replace('_', "").to_ascii_lowercase();
    let (radix, digits) = match digits.split_at_checked(2) {
        Some(("0x", digits)) => (16, digits),
        Some(("0o", digits)) => (8, digits),
        Some(("0b", digits)) => (2, digits),
        _ => (10, &*digits),
    };
    let is_number = digits.starts_with(|c: char| c.is_digit(radix));
    i64::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)
        .map(|number| sign * number)
        .ok_or("it is a whole number")
}

pub(super) fn natural(text: &str) -> Result<u64, &'static str> {
    integer(text)?.try_into().map_err(|_| "it is 0 or more")
}

pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    integer(text)?.try_into().map_err(|_| "a port is 0 to 65535")
}

pub(super) fn threads(text: &str) -> Result<NonZero<usize>, &'static str> {
    let count = usize::try_from(integer(text)?).ok().filter(|count| (1..=512).contains(count));
    count.and_then(NonZero::new).ok_or("it is 1 to 512")
}

/// Seconds, whole or not: `60`, `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| !seconds.is_zero() && *seconds <= Duration::from_hours(24 * 365))
        .ok_or("it is a number of seconds above 0, and below a year")
}
