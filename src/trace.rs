//! The trace context of a request: W3C Trace Context and Baggage. wsd passes it on, and makes no spans of its own.
//!
//! Programs get it in their environment (OpenTelemetry, "Environment Variables as Context Propagation Carriers"). The log shows
//! the id of the trace in each line of the request and its session.

/// Bytes of `tracestate` (W3C Trace Context, section 3.3.1.5); wsd drops a longer one.
const STATE_BYTES_MAX: usize = 512;

/// Bytes of `baggage` (W3C Baggage, section 3.3.2); wsd drops a longer one.
const BAGGAGE_BYTES_MAX: usize = 8 << 10;

/// The variables of programs.
pub(crate) const VARIABLES: [&str; 3] = ["TRACEPARENT", "TRACESTATE", "BAGGAGE"];

/// Returns the variables of a request with these headers: none unless it has one valid `traceparent`.
pub(crate) fn variables(headers: &[(&str, &[u8])]) -> Vec<(&'static str, Vec<u8>)> {
    let of = |name: &'static str| headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value);
    let Some(parent) = parent(of("traceparent")) else { return Vec::new() };
    let list = |name, bytes_max| Some(joined(of(name))).filter(|list| is_list(list, bytes_max));
    let values =
        [Some(parent.as_bytes().to_vec()), list("tracestate", STATE_BYTES_MAX), list("baggage", BAGGAGE_BYTES_MAX)];
    VARIABLES.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns the id of the trace of a request with these `traceparent` headers.
pub(crate) fn id<'a>(parents: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    parent(parents).map(|parent| &parent["00-".len()..][..32])
}

/// Returns the only `traceparent`, if it is valid: `VERSION-TRACE-PARENT-FLAGS` in lower-case hexadecimal, version not `ff`, and
/// no id of zeros only (W3C Trace Context, section 3.2.2).
fn parent<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    let only = values.next().filter(|_| values.next().is_none())?;
    let text = str::from_utf8(only.trim_ascii()).ok()?;
    let parts: Vec<_> = text.split('-').collect();
    let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_shaped = parts.iter().map(|part| part.len()).eq([2, 32, 16, 2])
        && parts.iter().all(|part| part.bytes().all(is_hexadecimal));
    let is_id = |part: &str| part.bytes().any(|byte| byte != b'0');
    (is_shaped && parts[0] != "ff" && is_id(parts[1]) && is_id(parts[2])).then_some(text)
}

/// Joins the parts of a list that came in several headers (RFC 9110, section 5.3).
fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let values: Vec<_> = values.map(<[u8]>::trim_ascii).filter(|value| !value.is_empty()).collect();
    values.join(&b","[..])
}

/// Whether `list` is not empty, not too long, and of visible ASCII and blanks only.
fn is_list(list: &[u8], bytes_max: usize) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
    (1..=bytes_max).contains(&list.len()) && list.iter().all(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// Returns the variables as text.
    fn of(headers: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let variables = variables(&headers).into_iter();
        variables.map(|(name, value)| (name, String::from_utf8(value).expect("text"))).collect()
    }

    #[test]
    fn a_valid_parent_admits_the_others() {
        let of_parent = ("TRACEPARENT", PARENT.to_owned());
        assert_eq!(of(&[("traceparent", PARENT)]), std::slice::from_ref(&of_parent));
        let all = [("tracestate", "a=1"), ("traceparent", PARENT), ("tracestate", "b=2"), ("baggage", "k=v;p, l=w")];
        let others = [("TRACESTATE", "a=1,b=2".to_owned()), ("BAGGAGE", "k=v;p, l=w".to_owned())];
        assert_eq!(of(&all), [&[of_parent][..], &others].concat());
        assert_eq!(id([PARENT.as_bytes()].into_iter()), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn no_variable_is_set_without_one_valid_parent() {
        let invalid = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ];
        let others = [("tracestate", "a=1"), ("baggage", "k=v")];
        assert_eq!(of(&others), []);
        for value in invalid {
            assert_eq!(of(&[&others[..], &[("traceparent", value)]].concat()), [], "{value}");
        }
        assert_eq!(of(&[("traceparent", PARENT), ("traceparent", PARENT)]), [], "two of them");
    }

    #[test]
    fn a_list_that_is_too_long_or_no_text_is_dropped_alone() {
        let names = |headers: &[(&str, &str)]| -> Vec<_> {
            let headers = [&[("traceparent", PARENT)], headers].concat();
            of(&headers).into_iter().map(|(name, _)| name).skip(1).collect()
        };
        for (header, name, most) in
            [("tracestate", "TRACESTATE", STATE_BYTES_MAX), ("baggage", "BAGGAGE", BAGGAGE_BYTES_MAX)]
        {
            assert_eq!(names(&[(header, &"x".repeat(most))]), [name]);
            assert_eq!(names(&[(header, &"x".repeat(most + 1))]), [""; 0]);
            assert_eq!(names(&[(header, &"x".repeat(most / 2)), (header, &"x".repeat(most / 2))]), [""; 0]);
            assert_eq!(names(&[(header, "é")]), [""; 0]);
            assert_eq!(names(&[(header, "")]), [""; 0]);
        }
    }
}
