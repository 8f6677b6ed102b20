//! The metrics as text: in the format of Prometheus, or in that of `OpenMetrics`.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::{gauge::ConstGauge, info::Info},
    registry::Registry,
};

use super::{
    cluster::BusCollector, counts::COUNTS, labels::OfVersion, mcp::encode::McpCollector, present::PresentCollector,
    process::ProcessCollector,
};

/// All metrics.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    let version = Info::new(OfVersion { version: env!("CARGO_PKG_VERSION") });
    registry.register("wsd_build", "The version of wsd", version);
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    registry.register("wsd_start_time_seconds", "When wsd started, in seconds since 1970", ConstGauge::new(began));
    COUNTS.register(&mut registry);
    registry.register_collector(Box::new(PresentCollector));
    registry.register_collector(Box::new(BusCollector));
    registry.register_collector(Box::new(McpCollector));
    registry.register_collector(Box::new(ProcessCollector));
    registry
});

/// Begins to count: wsd has started now.
pub(crate) fn begin() {
    LazyLock::force(&REGISTRY);
}

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// Prometheus's text format, version 0.0.4.
    Prometheus,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// Chooses the format by the header `Accept` of a request: `OpenMetrics` only for those that ask for it.
    pub(crate) fn accepted(accept: &str) -> Self {
        // The weight of the best range that names this type (RFC 9110, section 12.4.2).
        let weight = |kind: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_kind = parts.next()?.eq_ignore_ascii_case(kind);
                let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
                weight.filter(|_| is_kind)
            });
            ranges.fold(0.0, f64::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Returns the content type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns all metrics as they are now.
    pub(crate) fn scrape(self) -> String {
        let mut scrape = String::new();
        let encoded = match self {
            Self::Prometheus => prometheus_text::encode(&mut scrape, &REGISTRY),
            Self::OpenMetrics => text::encode(&mut scrape, &REGISTRY),
        };
        encoded.expect("a text takes all that is written");
        scrape
    }
}

#[cfg(test)]
mod tests {
    use super::{super::present::PRESENT, *};

    #[test]
    fn the_format_is_that_which_the_client_accepts() {
        use Exposition::{OpenMetrics, Prometheus};
        let table = [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", Prometheus),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
        ];
        for (accept, want) in table {
            assert_eq!(Exposition::accepted(accept), want, "{accept}");
        }
    }

    #[test]
    fn the_name_of_a_route_cannot_forge_a_series() {
        PRESENT.route("/a\"} 1\nforged{b=\"\\");

        for format in [Exposition::Prometheus, Exposition::OpenMetrics] {
            let scrape = format.scrape();
            assert!(scrape.contains(r#"wsd_rooms{route="/a\"} 1\nforged{b=\"\\"} 0"#), "{scrape}");
            assert!(scrape.lines().all(|line| !line.starts_with("forged")), "{scrape}");
        }
    }
}
