//! The requests of MCP: how many of each method and tool of a route, what became of them, and how long their programs took.
//!
//! The lock is taken once for each request, when it is over, and by whoever reads the sums.

pub(super) mod encode;
pub(super) mod shown;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::route::RouteName;
use crate::limits::mcp::{MCP_TOOL_BYTES_MAX, MCP_TOOLS_COUNTED_MAX};

/// The sums of all routes.
pub(crate) static MCP: McpSums = McpSums(Mutex::new(BTreeMap::new()));

/// The name of all methods that the specification does not have, and of all tools that a server has not listed.
const OTHER: &str = "other";

/// The requests of clients in the specification, in all of its versions.
const METHODS: [&str; 21] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
    OTHER,
];

/// The bounds of the times of answers, in seconds.
const ANSWER_SECS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, f64::INFINITY];

/// The requests of each route.
#[derive(Debug)]
pub(crate) struct McpSums(Mutex<BTreeMap<RouteName, McpRoute>>);

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct McpRequest<'a> {
    /// Its method, which [`method`] has returned.
    pub(crate) method: &'static str,
    /// The tool that it calls.
    pub(crate) tool: Option<&'a str>,
    /// The end of it.
    pub(crate) end: McpRequestEnd,
    /// The time from its way to the program to the answer of that; `None` for a subscription.
    pub(crate) time: Option<Duration>,
}

/// The end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum McpRequestEnd {
    /// The program has answered with a result.
    Result,
    /// The program has answered with an error, or its tool with `isError`.
    Error,
    /// The program has ended before its answer.
    Failed,
    /// The client has left, or has cancelled it.
    Cancelled,
}

impl McpRequestEnd {
    /// All words, in the order of the ends.
    const WORDS: [&'static str; 4] = ["result", "error", "failed", "cancelled"];
}

/// The requests of a route.
#[derive(Clone, Debug, Default)]
pub(super) struct McpRoute {
    sessions: u64,
    /// The processes that wait for a session.
    spares: Vec<i32>,
    methods: BTreeMap<&'static str, RequestSums>,
    tools: BTreeMap<Arc<str>, RequestSums>,
}

/// The requests of a method or for a tool.
#[derive(Clone, Copy, Debug, Default)]
struct RequestSums {
    /// Their number with each end.
    ends: [u64; McpRequestEnd::WORDS.len()],
    /// Their number with an answer within each of [`ANSWER_SECS`], but not within the one before.
    times: [u64; ANSWER_SECS.len()],
    secs: f64,
    slowest: f64,
}

impl RequestSums {
    fn add(&mut self, request: McpRequest<'_>) {
        self.ends[request.end as usize] += 1;
        let is_answered = matches!(request.end, McpRequestEnd::Result | McpRequestEnd::Error);
        if let Some(secs) = request.time.filter(|_| is_answered).map(|time| time.as_secs_f64()) {
            self.times[ANSWER_SECS.iter().position(|bound| secs <= *bound).unwrap_or_default()] += 1;
            self.secs += secs;
            self.slowest = self.slowest.max(secs);
        }
    }
}

/// Returns the name of a method as the metrics have it: one of the specification, or `other`.
pub(crate) fn method(name: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == name).unwrap_or(OTHER)
}

impl McpSums {
    /// Begins the counts of a route.
    pub(crate) fn begin(&self, route: &RouteName) {
        self.lock().entry(Arc::clone(route)).or_default();
    }

    /// Counts a request that is over.
    pub(crate) fn add(&self, route: &RouteName, request: McpRequest<'_>) {
        let mut routes = self.lock();
        let Some(sums) = routes.get_mut(route) else { return };
        sums.methods.entry(request.method).or_default().add(request);
        if let Some(tool) = request.tool {
            match sums.tools.get_mut(tool) {
                Some(known) => known.add(request),
                None => sums.tools.entry(OTHER.into()).or_default().add(request),
            }
        }
    }

    /// Notes the tools that a server lists: only their calls are counted by name, so that no client can add names. Of each route the
    /// first [`MCP_TOOLS_COUNTED_MAX`] names count.
    pub(crate) fn learn<'a>(&self, route: &RouteName, tools: impl IntoIterator<Item = &'a str>) {
        let mut routes = self.lock();
        let Some(sums) = routes.get_mut(route) else { return };
        for tool in tools {
            let is_short = tool.len() <= MCP_TOOL_BYTES_MAX;
            if is_short && sums.tools.len() < MCP_TOOLS_COUNTED_MAX && !sums.tools.contains_key(tool) {
                sums.tools.insert(tool.into(), RequestSums::default());
            }
        }
    }

    /// Returns the sums as they are now.
    pub(super) fn routes(&self) -> BTreeMap<RouteName, McpRoute> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RouteName, McpRoute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session, which counts until this is dropped.
#[derive(Debug)]
pub(crate) struct McpSessionCount(RouteName);

impl McpSessionCount {
    /// Counts a session of a route.
    pub(crate) fn of(route: &RouteName) -> Self {
        MCP.lock().entry(Arc::clone(route)).or_default().sessions += 1;
        Self(Arc::clone(route))
    }
}

impl Drop for McpSessionCount {
    fn drop(&mut self) {
        if let Some(sums) = MCP.lock().get_mut(&self.0) {
            sums.sessions -= 1;
        }
    }
}

/// A process that waits for a session: the status shows it until this is dropped.
#[derive(Debug)]
pub(crate) struct McpSpareShown(RouteName, i32);

impl McpSpareShown {
    /// Shows a process of a route.
    pub(crate) fn of(route: &RouteName, pid: i32) -> Self {
        MCP.lock().entry(Arc::clone(route)).or_default().spares.push(pid);
        Self(Arc::clone(route), pid)
    }
}

impl Drop for McpSpareShown {
    fn drop(&mut self) {
        if let Some(sums) = MCP.lock().get_mut(&self.0) {
            sums.spares.retain(|pid| *pid != self.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::metrics::route::NamedRoute;

    #[test]
    fn no_client_adds_a_name() {
        let route = NamedRoute::named("/names");
        MCP.begin(&route);
        let add = |name: &str, tool: Option<&str>| {
            MCP.add(&route, McpRequest { method: method(name), tool, end: McpRequestEnd::Result, time: None });
        };

        MCP.learn(&route, once("echo").chain(once(&*"x".repeat(MCP_TOOL_BYTES_MAX + 1))));
        for number in 0..1000 {
            add(&format!("made/up{number}"), None);
            add("tools/call", Some(&format!("made-up{number}")));
        }
        add("tools/call", Some("echo"));

        let sums = MCP.routes().remove(&route).expect("it has begun");
        assert_eq!(sums.methods.keys().copied().collect::<Vec<_>>(), [OTHER, "tools/call"]);
        let calls: Vec<_> = sums.tools.iter().map(|(tool, sums)| (&**tool, sums.ends[0])).collect();
        assert_eq!(calls, [("echo", 1), (OTHER, 1000)]);
    }

    #[test]
    fn a_route_counts_200_tools_by_name() {
        let route = NamedRoute::named("/tools");
        MCP.begin(&route);
        let names: Vec<_> = (0..2 * MCP_TOOLS_COUNTED_MAX).map(|number| format!("t{number}")).collect();

        MCP.learn(&route, names.iter().map(|name| &**name));

        assert_eq!(MCP.routes()[&route].tools.len(), MCP_TOOLS_COUNTED_MAX);
    }
}
