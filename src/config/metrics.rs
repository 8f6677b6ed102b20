//! Checks the place of the metrics.

use std::net::ToSocketAddrs;

use super::error::Error;
use crate::{answer::routes::Pattern, cli::value::Flag, server::watch::WatchPlace};

/// The place of the metrics.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MetricsPlace {
    /// A path of the server itself.
    Path(String),
    /// A place of its own.
    Own(WatchPlace),
}

/// Reads the value of `--metrics`; `None` if it is empty or not there.
pub(super) fn place(flag: Option<&Flag<String>>) -> Result<Option<MetricsPlace>, Error> {
    let Some(flag) = flag.filter(|flag| !flag.is_empty()) else { return Ok(None) };
    let fault = |why: &str| {
        let message = format!("invalid value `{}` for --metrics: {why}", flag.value);
        let hint = "write an address and a port such as 127.0.0.1:9100, unix:PATH, or a path such as /metrics";
        Error::new(message, hint).about(flag)
    };
    let place = if flag.starts_with('/') {
        match Pattern::parse(flag) {
            Ok(Pattern::Exact(path)) if path.starts_with("/.wsd/") => {
                return Err(fault("`/.wsd/` is wsd's own folder"));
            }
            Ok(Pattern::Exact(path)) => MetricsPlace::Path(path),
            Ok(Pattern::Below(_)) => return Err(fault("it is one path")),
            Err(why) => return Err(fault(why)),
        }
    } else if let Some(path) = flag.strip_prefix("unix:") {
        if path.is_empty() {
            return Err(fault("it has no path"));
        }
        MetricsPlace::Own(WatchPlace::Unix(path.into()))
    } else {
        let found: Vec<_> = flag.to_socket_addrs().map_err(|cause| fault(&cause.to_string()))?.collect();
        let port = found.first().ok_or_else(|| fault("it has no address"))?.port();
        MetricsPlace::Own(WatchPlace::Tcp(found.into_iter().map(|address| address.ip()).collect(), port))
    };
    Ok(Some(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_at_an_address_or_at_a_socket_or_at_a_path() {
        let table = [
            ("", "Ok(None)"),
            ("/metrics", "Ok(Some(Path(\"/metrics\")))"),
            ("unix:/run/wsd.metrics", "Ok(Some(Own(Unix(\"/run/wsd.metrics\"))))"),
            ("127.0.0.1:9100", "Ok(Some(Own(Tcp([127.0.0.1], 9100))))"),
            ("[::1]:0", "Ok(Some(Own(Tcp([::1], 0))))"),
            ("/a/*", "Err"),
            ("/a?b", "Err"),
            ("/.wsd/live", "Err"),
            ("unix:", "Err"),
            ("9100", "Err"),
            ("127.0.0.1", "Err"),
            ("127.0.0.1:x", "Err"),
        ];
        for (text, want) in table {
            let placed = place(Some(&Flag { value: text.to_owned(), at: None }));
            assert!(format!("{placed:?}").starts_with(want), "{text}: {placed:?}");
        }
    }
}
