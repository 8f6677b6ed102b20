//! Flags for what a program may use: its folder, its variables, its user and its limits.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use serde::{Deserialize, Deserializer};

use super::{
    types::{Assignments, Nice},
    value::Flag,
};

/// The bounds of programs and CGI scripts.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "What programs may use")]
pub(crate) struct ConfineFlags {
    /// Start programs in DIR; a relative COMMAND is found in the folder of wsd nevertheless [default: the folder of wsd; for a
    /// CGI script its own]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) chdir: Option<Flag<OsString>>,
    /// Set this environment variable for programs; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(default, deserialize_with = "variables")]
    pub(crate) env: Option<Vec<Flag<Assignments>>>,
    /// Run programs as this user, with its groups, and set HOME, USER, LOGNAME and SHELL; needs root (Linux)
    #[arg(long, value_name = "NAME[:GROUP]", value_hint = ValueHint::Username)]
    pub(crate) user: Option<Flag<String>>,
    /// Limit each process of a program, separated by commas: cpu=SECS, memory=BYTES of addresses, files=N that are open,
    /// filesize=BYTES of each file, and processes=N of its user; bytes also as 64k, 64M, 1G (Linux)
    #[arg(long, value_name = "LIMITS")]
    pub(crate) limit: Option<Flag<Assignments>>,
    /// Run programs with this priority, -20 (first) to 19 (last) (Linux)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) nice: Option<Flag<Nice>>,
    /// Put each program with all that it starts into a control group that ends with it, limited by memory=BYTES, processes=N
    /// and cpu=CORES, separated by commas; needs a delegated cgroup v2 (Linux)
    #[arg(long, value_name = "LIMITS", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) cgroup: Option<Flag<Assignments>>,
}

/// Reads the key of the repeatable flag for variables: a text, a list, or a table.
fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Flag<Assignments>>>, D::Error> {
    Flag::deserialize(deserializer).map(|all| Some(vec![all]))
}
