//! Other gateways of MCP: the packages that `.ci/peers` installs.

use std::env::consts::ARCH;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::result::Result;
use crate::server::{Contender, Job, MCP_IDLE, peers};

/// The command line of a gateway.
pub(crate) fn command(contender: Contender, job: Job, port: u16) -> Result<Command> {
    let Job::Mcp(program) = job else { return Err("a gateway only serves MCP".into()) };
    let (port, idle) = (port.to_string(), MCP_IDLE.as_millis().to_string());
    if contender == Contender::PythonMcpProxy {
        let mut command = Command::new(python_mcp_proxy());
        command.args(["--port", &port, "--log-level", "ERROR", "--"]).args(program);
        return Ok(command);
    }
    let mut command = Command::new(node());
    if contender == Contender::Supergateway {
        command.arg(peers().join("node_modules/supergateway/dist/index.js"));
        command.args(["--stdio", &program.join(" "), "--outputTransport", "streamableHttp", "--stateful"]);
        command.args(["--sessionTimeout", &idle, "--port", &port, "--logLevel", "none"]);
    } else {
        command.arg(peers().join("node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs"));
        command.args(["--server", "stream", "--sessionIdleTimeout", &idle, "--host", "127.0.0.1"]);
        command.args(["--port", &port, "--"]).args(program);
    }
    Ok(command)
}

/// The version of a gateway, or `None` if it is not installed.
pub(crate) fn version(contender: Contender) -> Option<String> {
    let output = |mut command: Command| {
        let output = command.arg("--version").output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if contender == Contender::PythonMcpProxy {
        return Some(format!("{} of PyPI", output(Command::new(python_mcp_proxy()))?));
    }
    let package = contender.name();
    let description = fs::read(peers().join("node_modules").join(package).join("package.json")).ok()?;
    let description: Value = serde_json::from_slice(&description).ok()?;
    Some(format!("{package} {} of npm, node {}", description["version"].as_str()?, output(Command::new(node()))?))
}

/// The Node.js that some packages need, newer than those of distributions.
fn node() -> PathBuf {
    let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
    peers().join(format!("node_modules/node-linux-{arch}/bin/node"))
}

fn python_mcp_proxy() -> PathBuf {
    peers().join("mcp1/bin/mcp-proxy")
}
