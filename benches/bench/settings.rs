//! The settings of a run: how long, how large and how strict.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::count::Check;
use crate::worker;

/// Silence after which a message counts as lost, or a server as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The settings of one run.
pub(crate) struct Settings {
    /// The time of one run, but for warming up.
    pub(crate) time: Duration,
    pub(crate) check: Check,
    /// Only count system calls.
    pub(crate) trace: bool,
    /// Threads of wsd's event loop; `None` is its own choice.
    pub(crate) threads: Option<usize>,
    pub(crate) idle_sessions: usize,
    pub(crate) crowd_sessions: usize,
    pub(crate) mcp_visits: usize,
    /// The benchmark's own binary, which is its workers too.
    pub(crate) own_binary: String,
    pub(crate) scratch: TempDir,
}

impl Settings {
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The command line of one of the benchmark's own workers.
    pub(crate) fn worker<'n>(&'n self, name: &'n str) -> [&'n str; 3] {
        [&self.own_binary, worker::WORKER, name]
    }
}
