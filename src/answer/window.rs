//! The size of a terminal that a request asks for.

use hyper::StatusCode;

use crate::{framing::window::WindowSize, http::refusal::Refusal};

/// Returns the size in a query, such as `cols=80&rows=24`. A part that is not there has its default.
pub(super) fn window(query: &str) -> Result<WindowSize, Refusal> {
    let of = |name: &str, default: u16| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.parse().ok()).next_back().unwrap_or(Some(default))
    };
    let WindowSize { columns, rows } = WindowSize::DEFAULT;
    let size = of("cols", columns).zip(of("rows", rows));
    size.and_then(|(columns, rows)| WindowSize::new(columns, rows)).ok_or_else(|| {
        let text = "The terminal cannot have this size: cols and rows are numbers from 1 to 1000.";
        Refusal::new(StatusCode::BAD_REQUEST, "size", text).with_hint("cols and rows are numbers from 1 to 1000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_1_to_1000_columns_and_rows() {
        let table = [
            ("", Some((80, 24))),
            ("a=b", Some((80, 24))),
            ("cols=100", Some((100, 24))),
            ("rows=50&x=1&cols=132", Some((132, 50))),
            ("cols=1&rows=1", Some((1, 1))),
            ("cols=1000&rows=1000", Some((1000, 1000))),
            ("cols=0&rows=0", None),
            ("cols=1001", None),
            ("cols=1000000000", None),
            ("rows=99999999999999999999", None),
            ("cols=-80", None),
            ("cols=", None),
            ("rows=many", None),
        ];
        for (query, want) in table {
            let size = window(query).ok().map(|size| (size.columns, size.rows));
            assert_eq!(size, want, "{query}");
        }
    }
}
