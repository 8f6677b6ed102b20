//! The requests of MCP in the status.

use serde::Serialize;

use super::{McpRoute, RequestSums};

/// The requests of a route in the status.
#[derive(Debug, Serialize)]
pub(in crate::metrics) struct ShownMcp {
    sessions: u64,
    /// The processes that wait for a session (`--mcp-spare`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spares: Vec<i32>,
    /// The requests of each method, and the calls of each tool as `tools/call NAME`.
    requests: Vec<ShownRequests>,
}

#[derive(Debug, Serialize)]
struct ShownRequests {
    name: String,
    result: u64,
    error: u64,
    failed: u64,
    cancelled: u64,
    /// The mean time until the answer, and the longest, in seconds; `null` without an answer.
    mean: Option<f64>,
    slowest: Option<f64>,
}

impl McpRoute {
    /// Returns the requests for the status. Tools that nobody has called are left out.
    pub(in crate::metrics) fn shown(&self) -> ShownMcp {
        let methods = self.methods.iter().map(|(method, sums)| ((*method).to_owned(), sums));
        let tools = self.tools.iter().map(|(tool, sums)| (format!("tools/call {tool}"), sums));
        let is_used = |(_, sums): &(String, &RequestSums)| sums.ends.iter().any(|count| *count > 0);
        let requests = methods.chain(tools).filter(is_used).map(|(name, sums)| {
            let [result, error, failed, cancelled] = sums.ends;
            let count = sums.times.iter().sum::<u64>();
            #[expect(clippy::cast_precision_loss, reason = "a mean needs no more digits")]
            let mean = (count > 0).then(|| micros(sums.secs / count as f64));
            let slowest = (count > 0).then(|| micros(sums.slowest));
            ShownRequests { name, result, error, failed, cancelled, mean, slowest }
        });
        ShownMcp { sessions: self.sessions, spares: self.spares.clone(), requests: requests.collect() }
    }
}

/// Rounds seconds to microseconds.
fn micros(secs: f64) -> f64 {
    (secs * 1e6).round() / 1e6
}
