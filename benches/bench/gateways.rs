//! Other gateways of MCP, and scripts of our own for libraries: the packages that `.ci/peers` installs.

use std::env::consts::ARCH;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

/// The time after which a gateway may end a session that nobody uses, where it has a setting for it.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// The folder in which `.ci/peers` installs packages.
pub(crate) fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/peers")
}

pub(crate) fn supergateway(program: &[&str], port: u16) -> Command {
    let mut command = package("supergateway/dist/index.js");
    command.args(["--stdio", &program.join(" "), "--outputTransport", "streamableHttp", "--stateful"]);
    command.args(["--sessionTimeout", &IDLE.as_millis().to_string()]);
    command.args(["--port", &port.to_string(), "--logLevel", "none"]);
    command
}

pub(crate) fn mcp_proxy(program: &[&str], port: u16) -> Command {
    let mut command = package("mcp-proxy/dist/bin/mcp-proxy.mjs");
    command.args(["--server", "stream", "--sessionIdleTimeout", &IDLE.as_millis().to_string()]);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--"]).args(program);
    command
}

pub(crate) fn python_mcp_proxy(program: &[&str], port: u16) -> Command {
    let mut command = Command::new(python());
    command.args(["--port", &port.to_string(), "--log-level", "ERROR", "--"]).args(program);
    command
}

/// The version of a package from npm, or `None` if it is not installed.
pub(crate) fn npm_version(package: &str) -> Option<String> {
    Some(format!("{package} {} of npm, node {}", version_of(package)?, version(node())?))
}

fn version_of(package: &str) -> Option<String> {
    let description = fs::read(peers().join("node_modules").join(package).join("package.json")).ok()?;
    let description: Value = serde_json::from_slice(&description).ok()?;
    Some(description["version"].as_str()?.to_owned())
}

/// The versions of Socket.IO and its adapter, or `None` if they are not installed.
pub(crate) fn socket_io_version() -> Option<String> {
    let adapter = version_of("@socket.io/redis-adapter")?;
    Some(format!("{}, with @socket.io/redis-adapter {adapter}", npm_version("socket.io")?))
}

/// A script of the benchmark that uses the packages.
pub(crate) fn script(text: &str) -> Command {
    let mut command = Command::new(node());
    command.args(["--input-type=module", "--eval", text, "--"]).current_dir(peers()).env("NODE_ENV", "production");
    command
}

/// The version of the package from `PyPI`, or `None` if it is not installed.
pub(crate) fn python_version() -> Option<String> {
    Some(format!("{} of PyPI", version(python())?))
}

fn version(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn package(script: &str) -> Command {
    let mut command = Command::new(node());
    command.arg(peers().join("node_modules").join(script));
    command
}

/// The Node.js that some packages need, newer than those of distributions.
fn node() -> PathBuf {
    let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
    peers().join(format!("node_modules/node-linux-{arch}/bin/node"))
}

fn python() -> PathBuf {
    peers().join("mcp1/bin/mcp-proxy")
}
