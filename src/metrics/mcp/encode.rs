//! The requests of MCP as metrics.

use std::{fmt, iter::zip, sync::Arc};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use super::{
    super::{
        labels::{OfMethod, OfRequest, OfRoute, OfTool},
        present::{counters, gauges, sentence},
    },
    ANSWER_SECS, MCP, McpRequestEnd,
};

/// Encodes the sums at each scrape.
#[derive(Debug)]
pub(in crate::metrics) struct McpCollector;

impl Collector for McpCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let routes = MCP.routes();
        if routes.is_empty() {
            return Ok(());
        }
        let sessions = routes.iter().map(|(route, sums)| (OfRoute { route: Arc::clone(route) }, sums.sessions));
        gauges(&mut encoder, "wsd_mcp_sessions", "Sessions of MCP now, with a process or without", sessions)?;
        let (mut requests, mut calls, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for (route, sums) in &routes {
            for (method, sums) in &sums.methods {
                let route = || Arc::clone(route);
                for (end, count) in zip(McpRequestEnd::WORDS, sums.ends) {
                    requests.push((OfRequest { route: route(), method, end }, count));
                }
                times.push((OfMethod { route: route(), method }, sums));
            }
            for (tool, sums) in &sums.tools {
                for (end, count) in zip(McpRequestEnd::WORDS, sums.ends) {
                    calls.push((OfTool { route: Arc::clone(route), tool: Arc::clone(tool), end }, count));
                }
            }
        }
        let help = "Requests of MCP that are over, by method and end";
        counters(&mut encoder, "wsd_mcp_requests", help, requests)?;
        counters(&mut encoder, "wsd_mcp_tool_calls", "Calls of tools that are over, by tool and end", calls)?;
        let help = sentence("Times until programs have answered requests of MCP");
        let mut encoder = encoder.encode_descriptor("wsd_mcp_request_seconds", &help, None, MetricType::Histogram)?;
        times.into_iter().try_for_each(|(labels, sums)| {
            let buckets: Vec<_> = zip(ANSWER_SECS, sums.times).collect();
            let count = sums.times.iter().sum();
            encoder.encode_family(&labels)?.encode_histogram::<OfMethod>(sums.secs, count, &buckets, None)
        })
    }
}
