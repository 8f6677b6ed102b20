//! Tests that this machine cannot run. libtest knows no skip: such a test passes. So each is counted here, and the end of
//! the run tells how many there were and what they lacked; in CI it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// The tests that were skipped, in whole or in part, by what they lacked.
static SKIPPED: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Counts the running test as skipped, in whole or in part, since the machine lacks `what`. With `CI=true` it fails.
///
/// Call it on the test's own thread: the test is known by the thread's name.
pub fn skip(what: &str) {
    let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_ci, "CI needs {what}, which is not here");
    count(what);
}

fn count(what: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    SKIPPED.lock().unwrap().entry(what.to_owned()).or_default().insert(test);
}

/// Counts the running test as skipped, in whole or in part, since the kernel or its container does not give `what`. Nothing that
/// CI could install would change that, so it fails nowhere.
pub fn skip_without_kernel(what: &str) {
    count(what);
}

/// Whether the program can be started here; if not, the test is skipped.
pub fn has(program: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", "command -v \"$1\"", "sh", program]).stdout(Stdio::null());
    let has = shell.status().unwrap().success();
    if !has {
        skip(program);
    }
    has
}

/// Tells of the skipped tests when the process ends, after all that libtest says.
///
/// libtest offers no hook at its end, and exits by itself when a test has failed. A destructor of the program runs in both
/// cases; it writes to the descriptor, since a panic of `eprintln!` would be fatal here.
#[dtor::dtor(unsafe)]
fn tell() {
    if let Some(text) = SKIPPED.lock().ok().and_then(|skipped| summary(&skipped)) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

fn summary(skipped: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let tests: BTreeSet<_> = skipped.values().flatten().collect();
    let lacks: Vec<_> = skipped.iter().map(|(what, tests)| format!("{what} ({})", tests.len())).collect();
    let noun = if tests.len() == 1 { "test" } else { "tests" };
    let text =
        format!("{} {noun} skipped, in whole or in part: this machine lacks {}\n\n", tests.len(), lacks.join(", "));
    (!tests.is_empty()).then_some(text)
}
