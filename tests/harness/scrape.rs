//! The metrics of a `wsd`, as a client of Prometheus reads them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::http::{Connection, Response};
use crate::server::{Server, address_of, field};

/// The flag with which [`Watch::of`] finds the metrics.
pub const METRICS: &str = "--metrics=127.0.0.1:0";

/// The address at which a server with [`METRICS`] is watched.
#[derive(Clone, Copy, Debug)]
pub struct Watch(pub SocketAddr);

/// The values of a scrape, by series.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The whole text.
    pub text: String,
    series: BTreeMap<String, String>,
}

impl Watch {
    /// The address of this server, from its log.
    pub fn of(server: &Server) -> Self {
        let line = server.expect_log("metrics ready").text;
        let url = field(&line, "url").expect("a field url");
        Self(address_of(url.strip_suffix("metrics").expect("the URL of the metrics")))
    }

    /// Gets a path, with more header lines; each ends with `\r\n`.
    pub fn get(self, path: &str, headers: &str) -> Response {
        let mut connection = Connection::open(self.0);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.0));
        connection.response("GET")
    }

    /// The metrics now.
    pub fn scrape(self) -> Scrape {
        Scrape::of(&self.get("/metrics", "").text())
    }
}

impl Scrape {
    /// Reads a scrape.
    pub fn of(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.to_owned()))
        });
        Self { series: series.collect(), text: text.to_owned() }
    }

    /// Whether there is this series, whose name and labels are written as in the scrape.
    pub fn has(&self, series: &str) -> bool {
        self.series.contains_key(series)
    }

    /// The whole number of a series, whose name and labels are written as in the scrape.
    pub fn value(&self, series: &str) -> u64 {
        self.text_of(series).parse().unwrap_or_else(|_| panic!("{series} is no whole number in\n{}", self.text))
    }

    /// The number of a series.
    pub fn decimal(&self, series: &str) -> f64 {
        self.text_of(series).parse().unwrap_or_else(|_| panic!("{series} is no number in\n{}", self.text))
    }

    fn text_of(&self, series: &str) -> &str {
        self.series.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// The sum of all whole numbers of this name whose labels contain `label`.
    pub fn sum(&self, name: &str, label: &str) -> u64 {
        let of_name = self.series.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        let labelled = of_name.filter(|(series, _)| series.contains(label));
        labelled.map(|(series, _)| self.value(series)).sum()
    }

    /// The names of all series.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.series.keys().filter_map(|series| series.split('{').next())
    }
}
