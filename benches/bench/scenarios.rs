//! The table of the benchmark: each scenario, who takes part, which figures it shows and what is asked of them.

use crate::framing::Framing;
use crate::measure::{Figure, Sample};
use crate::result::Result;
use crate::server::Contender;
use crate::settings::Settings;
use crate::{clusters, files, flows, mcp, resume, rooms, sessions, streams};

/// Something to do, and what it shows.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) contenders: &'static [Contender],
    pub(crate) repeat: Repeat,
    pub(crate) run: fn(&Settings, Contender) -> Result<Sample>,
    pub(crate) rows: &'static [Row],
}

/// How often a scenario is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Once a round.
    Rounds,
    /// Once a round, and once more under strace.
    RoundsTraced,
    /// In the first round only, since it is slow and varies little.
    Once,
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) label: &'static str,
    pub(crate) figure: Figure,
    pub(crate) goal: Option<Goal>,
}

/// The figure that wsd must reach: a multiple of websocketd's figure, or a figure of its own.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    TimesAtLeast(f64),
    TimesAtMost(f64),
    AtLeast(f64),
    AtMost(f64),
    /// No other contender has a better figure.
    Ahead,
    /// So many times the best figure of the others.
    AheadBy(f64),
}

const BRIDGES: &[Contender] = &[Contender::Websocketd, Contender::Wsd];
const BRIDGES_AND_SOCAT: &[Contender] = &[Contender::Websocketd, Contender::Wsd, Contender::Socat];
/// Nobody else has rooms, such framings or `--unbuffer`.
const ONLY_WSD: &[Contender] = &[Contender::Wsd];
/// websocketd does not compress.
const COMPRESSORS: &[Contender] = &[Contender::Wsd, Contender::Ws];
/// The gateways of MCP.
const GATEWAYS: &[Contender] =
    &[Contender::Wsd, Contender::Supergateway, Contender::McpProxy, Contender::PythonMcpProxy];
/// Rooms across machines.
const CLUSTERS: &[Contender] = &[Contender::Wsd, Contender::SocketIo];
const FILE_SERVERS: &[Contender] = &[Contender::Websocketd, Contender::Wsd, Contender::Nginx];

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

/// Every scenario, in the order of the table.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "lines out",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::lines_out,
        rows: &[row("lines out, 64 bytes", Figure::Rate, Some(Goal::TimesAtLeast(40.0)))],
    },
    Scenario {
        name: "lines out, unbuffered",
        contenders: ONLY_WSD,
        repeat: Repeat::RoundsTraced,
        run: flows::lines_out_unbuffered,
        rows: &[row("lines out with --unbuffer, 64 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "lines in",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::lines_in,
        rows: &[row("lines in, 64 bytes", Figure::Rate, Some(Goal::TimesAtLeast(15.0)))],
    },
    Scenario {
        name: "lines out, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_out(settings, contender, Framing::Lines),
        rows: &[row("lines out, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "lines in, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_in(settings, contender, Framing::Lines),
        rows: &[row("lines in, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "nul out, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_out(settings, contender, Framing::Nul),
        rows: &[row("nul out, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "nul in, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_in(settings, contender, Framing::Nul),
        rows: &[row("nul in, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "length out, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_out(settings, contender, Framing::Length),
        rows: &[row("length out, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "length in, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_in(settings, contender, Framing::Length),
        rows: &[row("length in, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "jsonrpc out, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_out(settings, contender, Framing::JsonRpc),
        rows: &[row("jsonrpc out, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "jsonrpc in, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_in(settings, contender, Framing::JsonRpc),
        rows: &[row("jsonrpc in, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "lsp out, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_out(settings, contender, Framing::Lsp),
        rows: &[row("lsp out, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "lsp in, 200 bytes",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: |settings, contender| flows::framed_in(settings, contender, Framing::Lsp),
        rows: &[row("lsp in, 200 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "echo, pipelined",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::pipelined,
        rows: &[row("echo, 16 KiB in flight", Figure::Rate, Some(Goal::TimesAtLeast(15.0)))],
    },
    Scenario {
        name: "echo, one at a time",
        contenders: BRIDGES_AND_SOCAT,
        repeat: Repeat::RoundsTraced,
        run: flows::one_at_a_time,
        rows: &[
            row("echo, one at a time", Figure::Rate, Some(Goal::TimesAtLeast(1.3))),
            row("echo, one at a time: p99", Figure::P99, Some(Goal::TimesAtMost(0.65))),
            row("echo, one at a time: CPU", Figure::Cpu, Some(Goal::TimesAtMost(0.5))),
        ],
    },
    Scenario {
        name: "echo, 1 MiB lines",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::large_lines,
        rows: &[row("echo, 1 MiB lines", Figure::Throughput, Some(Goal::TimesAtLeast(3.5)))],
    },
    Scenario {
        name: "echo, 64 KiB binary",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::large_binary,
        rows: &[row("echo, 64 KiB binary", Figure::Throughput, Some(Goal::TimesAtLeast(1.8)))],
    },
    Scenario {
        name: "echo, 200 clients",
        contenders: BRIDGES,
        repeat: Repeat::RoundsTraced,
        run: flows::many,
        rows: &[
            row("echo, 200 clients", Figure::Rate, None),
            row("echo, 200 clients: CPU", Figure::Cpu, Some(Goal::TimesAtMost(0.65))),
        ],
    },
    Scenario {
        name: "connect, line, close",
        contenders: BRIDGES_AND_SOCAT,
        repeat: Repeat::RoundsTraced,
        run: sessions::one_at_a_time,
        rows: &[
            row("connect, line, close", Figure::Rate, Some(Goal::TimesAtLeast(1.4))),
            row("connect, line, close: CPU", Figure::Cpu, Some(Goal::TimesAtMost(0.45))),
        ],
    },
    Scenario {
        name: "connect with --auth=bearer",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: sessions::with_token,
        rows: &[
            row("connect with --auth=bearer", Figure::Rate, None),
            row("connect with --auth=bearer: CPU", Figure::Cpu, None),
        ],
    },
    Scenario {
        name: "connect, line, close, 50 at a time",
        contenders: BRIDGES_AND_SOCAT,
        repeat: Repeat::Rounds,
        run: sessions::fifty_at_a_time,
        rows: &[row("connect, line, close, 50 at a time", Figure::Rate, Some(Goal::TimesAtLeast(1.3)))],
    },
    Scenario {
        name: "idle",
        contenders: BRIDGES,
        repeat: Repeat::Rounds,
        run: sessions::idle,
        rows: &[
            row("memory of an idle session, of 1,000", Figure::MemoryPerSession, Some(Goal::AtMost(6.0 * KIB))),
            row("memory with no session", Figure::MemoryAlone, Some(Goal::AtMost(6.0 * MIB))),
            row("1,000 sessions ended at once", Figure::Teardown, None),
        ],
    },
    Scenario {
        name: "start to first line",
        contenders: BRIDGES_AND_SOCAT,
        repeat: Repeat::Rounds,
        run: sessions::start,
        rows: &[row("start to first line", Figure::Start, Some(Goal::TimesAtMost(0.75)))],
    },
    Scenario {
        name: "static file, 1 KiB",
        contenders: FILE_SERVERS,
        repeat: Repeat::Rounds,
        run: files::small,
        rows: &[row("static file, 1 KiB, keep-alive", Figure::Rate, Some(Goal::TimesAtLeast(1.5)))],
    },
    Scenario {
        name: "static file, 10 MiB",
        contenders: FILE_SERVERS,
        repeat: Repeat::Rounds,
        run: files::large,
        rows: &[row("static file, 10 MiB", Figure::Throughput, Some(Goal::TimesAtLeast(0.7)))],
    },
    Scenario {
        name: "fairness",
        contenders: BRIDGES,
        repeat: Repeat::Rounds,
        run: flows::beside_floods,
        rows: &[
            row("one line at a time beside two floods: p99", Figure::P99, None),
            row("the same against the quiet server", Figure::Slowdown, Some(Goal::AtMost(6.0))),
        ],
    },
    Scenario {
        name: "event stream: lines out",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: streams::lines_out,
        rows: &[row("lines out as events, 64 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "event stream: echo by POST",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: streams::echo,
        rows: &[
            row("echo of a POST as an event, one at a time", Figure::Rate, None),
            row("the same: p99", Figure::P99, None),
        ],
    },
    Scenario {
        name: "event stream: idle",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: streams::idle,
        rows: &[row("memory of an idle event stream, of 1,000", Figure::MemoryPerSession, None)],
    },
    Scenario {
        name: "resume: lines out",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: resume::lines_out,
        rows: &[
            row("lines out with --resume, 64 bytes", Figure::Rate, None),
            row("the same without, as a multiple", Figure::Slowdown, Some(Goal::AtMost(1.1))),
        ],
    },
    Scenario {
        name: "resume: lines in",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: resume::lines_in,
        rows: &[
            row("lines in with --resume, 64 bytes", Figure::Rate, None),
            row("the same without, as a multiple", Figure::Slowdown, Some(Goal::AtMost(1.1))),
        ],
    },
    Scenario {
        name: "resume: echo, one at a time",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: resume::one_at_a_time,
        rows: &[
            row("echo, one at a time, with --resume", Figure::Rate, None),
            row("the same without, as a multiple", Figure::Slowdown, Some(Goal::AtMost(1.1))),
        ],
    },
    Scenario {
        name: "resume: return",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: resume::returns,
        rows: &[row("return to a session: p99", Figure::Resume, Some(Goal::AtMost(2e-3)))],
    },
    Scenario {
        name: "broadcast, 10 clients",
        contenders: ONLY_WSD,
        repeat: Repeat::RoundsTraced,
        run: rooms::broadcast_to_10,
        rows: &[row("broadcast to 10 clients, 100 bytes: delivered", Figure::Rate, None)],
    },
    Scenario {
        name: "broadcast, 100 clients",
        contenders: ONLY_WSD,
        repeat: Repeat::RoundsTraced,
        run: rooms::broadcast_to_100,
        rows: &[row("broadcast to 100 clients", Figure::Rate, None)],
    },
    Scenario {
        name: "broadcast, 1000 clients",
        contenders: ONLY_WSD,
        repeat: Repeat::RoundsTraced,
        run: rooms::broadcast_to_1000,
        rows: &[row("broadcast to 1,000 clients", Figure::Rate, Some(Goal::AtLeast(20e6)))],
    },
    Scenario {
        name: "compressed broadcast, 1000 clients",
        contenders: ONLY_WSD,
        repeat: Repeat::Rounds,
        run: rooms::packed_broadcast_to_1000,
        rows: &[row("compressed broadcast to 1,000 clients, 1,100 bytes", Figure::Rate, None)],
    },
    Scenario {
        name: "compressed lines out",
        contenders: COMPRESSORS,
        repeat: Repeat::Rounds,
        run: flows::packed_out,
        rows: &[
            row("compressed lines out, 110 bytes of JSON", Figure::Rate, None),
            row("the same: how much they shrink", Figure::Shrinking, None),
        ],
    },
    Scenario {
        name: "mcp: calls",
        contenders: GATEWAYS,
        repeat: Repeat::Rounds,
        run: mcp::calls,
        rows: &[
            row("MCP: calls of a tool, one at a time", Figure::Rate, Some(Goal::Ahead)),
            row("MCP: half of the calls take", Figure::P50, Some(Goal::Ahead)),
            row("MCP: p99 of calls", Figure::P99, Some(Goal::Ahead)),
            row("MCP: CPU a call", Figure::Cpu, Some(Goal::Ahead)),
        ],
    },
    Scenario {
        name: "mcp: calls of 8 clients",
        contenders: GATEWAYS,
        repeat: Repeat::Rounds,
        run: mcp::calls_of_eight,
        rows: &[
            row("MCP: calls of 8 clients at once", Figure::Rate, Some(Goal::Ahead)),
            row("MCP: half of those take", Figure::P50, Some(Goal::Ahead)),
            row("MCP: p99 of those", Figure::P99, Some(Goal::Ahead)),
            row("MCP: CPU of one of those", Figure::Cpu, Some(Goal::Ahead)),
        ],
    },
    Scenario {
        name: "mcp: sessions",
        contenders: GATEWAYS,
        repeat: Repeat::Rounds,
        run: mcp::sessions,
        rows: &[
            row("MCP: connect and begin a session", Figure::Connect, None),
            row("MCP: memory with 10 sessions, servers included", Figure::MemoryOfTree, Some(Goal::Ahead)),
            row("MCP: processes left after the visits", Figure::ProcessesLeft, Some(Goal::Ahead)),
        ],
    },
    Scenario {
        name: "mcp: sessions with a spare",
        contenders: GATEWAYS,
        repeat: Repeat::Rounds,
        run: mcp::visits,
        rows: &[row("MCP: begin a session with --mcp-spare", Figure::Connect, Some(Goal::Ahead))],
    },
    Scenario {
        name: "join and leave",
        contenders: ONLY_WSD,
        repeat: Repeat::RoundsTraced,
        run: rooms::join_and_leave,
        rows: &[row("join and leave a room, one at a time", Figure::Rate, None)],
    },
    Scenario {
        name: "ten thousand idle sessions",
        contenders: BRIDGES,
        repeat: Repeat::Once,
        run: sessions::crowd,
        rows: &[
            row("idle crowd: 10,000, or as many as may be", Figure::Sessions, None),
            row("of those lost", Figure::SessionsLost, Some(Goal::AtMost(0.0))),
            row("memory of an idle session in a crowd", Figure::MemoryPerSession, None),
        ],
    },
];

/// The scenarios that need a Redis, behind all others.
pub(crate) const CLUSTERED: &[Scenario] = &[
    Scenario {
        name: "cluster: broadcast",
        contenders: CLUSTERS,
        repeat: Repeat::Rounds,
        run: clusters::broadcast,
        rows: &[
            row("broadcast to 1,000 clients of 3 nodes, 100 bytes", Figure::Rate, Some(Goal::AheadBy(5.0))),
            row("the same: CPU of the nodes a delivery", Figure::Cpu, Some(Goal::Ahead)),
            row("the same: CPU of Redis a delivery", Figure::CpuOfRedis, None),
            row("one line to 1,000 clients: half on other nodes wait", Figure::P50, Some(Goal::Ahead)),
            row("the same: p99", Figure::P99, Some(Goal::Ahead)),
        ],
    },
    Scenario {
        name: "cluster: hop",
        contenders: CLUSTERS,
        repeat: Repeat::Rounds,
        run: clusters::hop,
        rows: &[
            row("one line to a client of another node: half wait", Figure::P50, Some(Goal::Ahead)),
            row("the same: p99", Figure::P99, Some(Goal::Ahead)),
            row("the same: CPU of the nodes", Figure::Cpu, Some(Goal::Ahead)),
            row("the same: CPU of Redis", Figure::CpuOfRedis, None),
        ],
    },
    Scenario {
        name: "cluster: input",
        contenders: CLUSTERS,
        repeat: Repeat::Rounds,
        run: clusters::input,
        rows: &[
            row("lines from clients of 3 nodes to one program", Figure::Rate, Some(Goal::AheadBy(5.0))),
            row("the same: CPU of the nodes a line", Figure::Cpu, Some(Goal::Ahead)),
            row("the same: CPU of Redis a line", Figure::CpuOfRedis, None),
        ],
    },
];

const fn row(label: &'static str, figure: Figure, goal: Option<Goal>) -> Row {
    Row { label, figure, goal }
}
