//! A route as the metrics know it: its name, and those of its series that each session changes.

use std::{
    cmp::Ordering,
    fmt::{self, Write},
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
};

/// A route of the settings; its copies are the same route.
pub(crate) type RouteName = Arc<NamedRoute>;

/// A counter of seconds.
pub(super) type SecondsCounter = Counter<f64, AtomicU64>;

/// A route of the settings. It reads, compares and sorts as its name: the pattern in the settings, such as `/chat/*`.
#[derive(Debug, Default)]
pub(crate) struct NamedRoute {
    name: Box<str>,
    /// Its series, once they have been found: to find one by its labels takes longer than to add to it.
    pub(super) series: OnceLock<RouteSeries>,
}

/// The series of a route that each session changes.
#[derive(Debug)]
pub(super) struct RouteSeries {
    pub(super) session_duration: Histogram,
    pub(super) programs: Gauge,
    pub(super) programs_started: Counter,
    pub(super) program_start: Histogram,
    pub(super) program_cpu: SecondsCounter,
    pub(super) program_memory: Gauge,
}

impl NamedRoute {
    /// Returns a route with this name.
    pub(crate) fn named(name: &str) -> RouteName {
        Arc::new(Self { name: name.into(), series: OnceLock::new() })
    }
}

impl Deref for NamedRoute {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl PartialEq for NamedRoute {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for NamedRoute {}

impl PartialOrd for NamedRoute {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NamedRoute {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for NamedRoute {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// As the crate asks for it behind an `Arc`.
impl EncodeLabelValue for &NamedRoute {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self)
    }
}
