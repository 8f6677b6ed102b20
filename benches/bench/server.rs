//! The servers that are compared: how each is started, asked and stopped.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use rustix::fs::{Advice, fadvise};
use serde::Serialize;

use crate::framing::Framing;
use crate::gateways;
use crate::result::Result;
use crate::settings::{PATIENCE, Settings};
use crate::text::{BROADCAST_BYTES, LINES};

/// The token of clients of a program behind `--auth=bearer`.
pub(crate) const TOKEN: &str = "bench-token-0123456789";

/// A server under comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contender {
    /// The one that all others are compared with.
    Websocketd,
    Wsd,
    /// A program behind a bare TCP port: no WebSocket, a process of socat's own for every connection.
    Socat,
    /// Files only.
    Nginx,
    /// The library ws for node, which compresses messages: a program of its own takes the place of server and worker.
    Ws,
    /// A gateway of MCP from npm, with a server for each session.
    Supergateway,
    /// One with a server for all sessions.
    McpProxy,
    /// One of the same name from `PyPI`, likewise.
    PythonMcpProxy,
    /// Socket.IO with its Redis adapter: programs of its own take the place of nodes and worker.
    SocketIo,
}

/// The purpose of a server.
#[derive(Clone, Copy)]
pub(crate) enum Job<'j> {
    /// A program that talks in lines: its path or name, and its arguments.
    Lines(&'j [&'j str]),
    /// A program that talks in a framing.
    Framed(Framing, &'j [&'j str]),
    /// Likewise, behind a terminal on its standard output.
    Unbuffered(&'j [&'j str]),
    /// A program that talks in lines, with event streams and POST.
    Http(&'j [&'j str]),
    /// A program that talks in lines, with clients that may return.
    Resumable(&'j [&'j str]),
    /// A program that talks in lines, for clients that show [`TOKEN`].
    Guarded(&'j [&'j str]),
    /// A program that talks in bytes.
    Bytes(&'j [&'j str]),
    /// A program that talks in lines, one for all clients; it waits for the slowest of them.
    Shared(&'j [&'j str]),
    /// A program that talks in lines, with compression.
    Packed(&'j [&'j str]),
    /// Likewise, one for all clients.
    PackedShared(&'j [&'j str]),
    /// A server of MCP.
    Mcp(&'j [&'j str]),
    /// Likewise, and one more is started ahead for the next session, where a gateway can do that.
    McpSpare(&'j [&'j str]),
    /// A program that talks in lines, one for all clients of the nodes on the Redis at a port of loopback; on each node it waits
    /// for the slowest of them.
    Node(u16, &'j [&'j str]),
    /// The files of a directory.
    Files(&'j Path),
}

impl Contender {
    pub(crate) const ALL: [Self; 9] = [
        Self::Websocketd,
        Self::Wsd,
        Self::Socat,
        Self::Nginx,
        Self::Ws,
        Self::Supergateway,
        Self::McpProxy,
        Self::PythonMcpProxy,
        Self::SocketIo,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Websocketd => "websocketd",
            Self::Wsd => "wsd",
            Self::Socat => "socat",
            Self::Nginx => "nginx",
            Self::Ws => "ws",
            Self::Supergateway => "supergateway",
            Self::McpProxy => "mcp-proxy",
            Self::PythonMcpProxy => "mcp-proxy (Python)",
            Self::SocketIo => "socket.io",
        }
    }

    /// Whether it is a WebSocket server; the others are there for orientation.
    pub(crate) fn is_bridge(self) -> bool {
        matches!(self, Self::Websocketd | Self::Wsd)
    }

    /// Has the program read from disk anew when it is next started, if that can be. How a file that was written a moment ago
    /// lies in memory depends on who wrote it, linker or package manager: a tenth of the time to start, and of its memory.
    pub(crate) fn forget(self) {
        let (program, folders) = (self.program(), env::var_os("PATH").unwrap_or_default());
        if let Some(file) = env::split_paths(&folders).find_map(|folder| File::open(folder.join(program)).ok()) {
            let _ = file.sync_all();
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
        }
    }

    /// The line in which the program names its version, or `None` if it is not installed.
    pub(crate) fn version(self) -> Option<String> {
        let flag = match self {
            Self::Websocketd | Self::Wsd => "--version",
            Self::Socat => "-V",
            Self::Nginx => "-v",
            Self::Ws => return ws_version(),
            Self::Supergateway | Self::McpProxy => return gateways::npm_version(self.name()),
            Self::PythonMcpProxy => return gateways::python_version(),
            Self::SocketIo => return gateways::socket_io_version(),
        };
        let output = Command::new(self.program()).arg(flag).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().filter(|line| line.contains(self.name()));
        let line = lines.find(|line| line.contains(" version ")).or_else(|| text.lines().next());
        let line = line.unwrap_or_default().trim_matches([' ', '-']);
        Some(line.replace("DEVBUILD", &debian_version(self.name())))
    }

    fn program(self) -> &'static OsStr {
        let program = match self {
            Self::Wsd => env!("CARGO_BIN_EXE_wsd"),
            // Debian keeps it where only root looks.
            Self::Nginx if Path::new("/usr/sbin/nginx").exists() => "/usr/sbin/nginx",
            Self::Ws => "node",
            _ => self.name(),
        };
        OsStr::new(program)
    }

    /// The command line; `port` 0 is for wsd only, which takes a free one and says which.
    fn command(self, job: Job, port: u16, settings: &Settings) -> Result<Command> {
        let mut command = Command::new(self.program());
        match self {
            Self::Wsd => {
                command.args(settings.threads.map(|threads| format!("--threads={threads}")));
                command.args(["--loglevel=error", "--maxforks=20000"])
            }
            Self::Websocketd => command.arg("--loglevel=fatal"),
            Self::Socat => return socat(command, job, port),
            Self::Nginx => return nginx(command, job, port, settings.scratch()),
            Self::Ws => return ws(command, job, port),
            Self::Supergateway | Self::McpProxy | Self::PythonMcpProxy => return self.gateway(job, port),
            Self::SocketIo => return socket_io(job, port),
        };
        command.arg(format!("--port={port}")).arg("--address=127.0.0.1");
        match job {
            Job::Lines(program) => command.args(program),
            Job::Framed(framing, program) => command.arg(format!("--framing={}", framing.name())).args(program),
            Job::Guarded(program) => {
                let file = settings.scratch().join("tokens");
                fs::write(&file, format!("bench:{TOKEN}\n"))?;
                command.arg(format!("--auth=bearer:{}", file.display())).args(program)
            }
            Job::Unbuffered(program) => command.arg("--unbuffer").args(program),
            Job::Http(program) => command.arg("--http").args(program),
            Job::Resumable(program) => command.arg("--resume=60").args(program),
            Job::Bytes(program) => command.arg("--binary").args(program),
            Job::Shared(program) => command.args(["--shared", "--slow=wait"]).args(program),
            Job::Node(redis, program) => {
                command.arg(format!("--bus=redis://127.0.0.1:{redis}")).args(["--shared", "--slow=wait"]).args(program)
            }
            Job::Packed(program) => command.arg("--compress").args(program),
            Job::PackedShared(program) => command.args(["--compress", "--shared", "--slow=wait"]).args(program),
            Job::Mcp(program) | Job::McpSpare(program) => {
                command.args(["--mcp", &format!("--mcp-idle={}", gateways::IDLE.as_secs())]);
                command.args(matches!(job, Job::McpSpare(_)).then_some("--mcp-spare")).args(program)
            }
            Job::Files(folder) => command.arg(format!("--staticdir={}", folder.display())),
        };
        Ok(command)
    }

    /// The command line of another gateway of MCP.
    fn gateway(self, job: Job, port: u16) -> Result<Command> {
        let (Job::Mcp(program) | Job::McpSpare(program)) = job else { return Err("a gateway only serves MCP".into()) };
        Ok(match self {
            Self::Supergateway => gateways::supergateway(program, port),
            Self::McpProxy => gateways::mcp_proxy(program, port),
            _ => gateways::python_mcp_proxy(program, port),
        })
    }

    /// Where the program's standard error of the last start is kept.
    pub(crate) fn log(self, scratch: &Path) -> PathBuf {
        scratch.join(format!("{}.log", self.name()))
    }
}

/// The version of a Debian package: Debian builds websocketd without one.
fn debian_version(package: &str) -> String {
    let output = Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).output();
    output
        .map_or_else(|_| "of unknown version".to_owned(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn socat(mut command: Command, job: Job, port: u16) -> Result<Command> {
    let Job::Lines(program) = job else { return Err("socat only bridges programs".into()) };
    command.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,nodelay,fork,backlog=1024"));
    command.arg(format!("EXEC:{}", program.join(" ")));
    Ok(command)
}

fn nginx(mut command: Command, job: Job, port: u16, scratch: &Path) -> Result<Command> {
    let Job::Files(folder) = job else { return Err("nginx only serves files".into()) };
    let (scratch, folder) = (scratch.display(), folder.display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {scratch}/nginx-{kind};"))
        .join(" ");
    let config = format!(
        "daemon off; worker_processes auto; pid {scratch}/nginx.pid; error_log stderr error;
         events {{ worker_connections 1024; }}
         http {{
           {temporary}
           access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
           server {{ listen 127.0.0.1:{port}; root {folder}; }}
         }}"
    );
    let path = format!("{scratch}/nginx.conf");
    fs::write(&path, config)?;
    command.args(["-c", &path, "-e", "stderr"]);
    Ok(command)
}

/// The versions of ws and node, or `None` if they are not installed.
fn ws_version() -> Option<String> {
    let script = "`ws ${require('ws/package.json').version}, node ${process.version}`";
    let output = Command::new("node").args(["--print", script]).current_dir(gateways::peers()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn ws(mut command: Command, job: Job, port: u16) -> Result<Command> {
    let Job::Packed(_) = job else { return Err("ws only compresses lines".into()) };
    command.args(["--input-type=module", "--eval", include_str!("ws.mjs"), "--"]);
    command.args([port.to_string(), LINES.to_string()]).current_dir(gateways::peers());
    Ok(command)
}

fn socket_io(job: Job, port: u16) -> Result<Command> {
    let Job::Node(redis, _) = job else { return Err("Socket.IO only shares rooms".into()) };
    let mut command = gateways::script(include_str!("socketio.mjs"));
    command.args([port.to_string(), redis.to_string(), LINES.to_string(), BROADCAST_BYTES.to_string()]);
    Ok(command)
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    child: Child,
    /// Whether its clients show [`TOKEN`].
    is_guarded: bool,
    address: SocketAddr,
}

impl Server {
    /// Whether its clients show [`TOKEN`].
    pub(crate) fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// Starts `contender` and waits until it can be connected to.
    pub(crate) fn start(contender: Contender, job: Job, settings: &Settings) -> Result<Self> {
        if contender != Contender::Wsd {
            let mut server = Self::spawn(contender, job, settings, free_port()?)?;
            server.wait_until_open()?;
            return Ok(server);
        }
        let mut server = Self::spawn(contender, job, settings, 0)?;
        let output = server.child.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        server.address =
            address.and_then(|text| text.parse().ok()).ok_or_else(|| format!("wsd said {line:?}, no URL"))?;
        Ok(server)
    }

    /// Starts `contender` and does not wait for anything.
    pub(crate) fn spawn(contender: Contender, job: Job, settings: &Settings, port: u16) -> Result<Self> {
        let log = contender.log(settings.scratch());
        // Nodes share it.
        let log = if matches!(job, Job::Node(..)) {
            File::options().create(true).append(true).open(log)
        } else {
            File::create(log)
        }?;
        let child = contender
            .command(job, port, settings)?
            .stdin(Stdio::null())
            .stdout(if port == 0 { Stdio::piped() } else { Stdio::null() })
            .stderr(log)
            .spawn()?;
        Ok(Self {
            child,
            is_guarded: matches!(job, Job::Guarded(_)),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        })
    }

    /// Tries to connect until it works.
    pub(crate) fn wait_until_open(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > deadline || self.child.try_wait()?.is_some() {
                return Err("the server does not listen".into());
            }
            thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The processor time of the server process, to the nanosecond, threads that ended included; not of its workers.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.pid())
    }

    /// Bytes of memory resident, program text included (`Rss` of `smaps_rollup`, which is exact).
    pub(crate) fn memory_bytes(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss in smaps_rollup")?;
        Ok(line.trim_end_matches("kB").trim().parse::<u64>()? << 10)
    }

    /// The process and all under it.
    pub(crate) fn tree(&self) -> Result<Vec<i32>> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
            // The name, in parentheses, may hold anything.
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            parents.extend(parent.map(|parent: i32| (process, parent)));
        }
        let mut tree = vec![self.pid().as_raw()];
        let mut at = 0;
        while let Some(&process) = tree.get(at) {
            tree.extend(parents.iter().filter(|(_, parent)| *parent == process).map(|(child, _)| child));
            at += 1;
        }
        Ok(tree)
    }

    /// Bytes of memory of the process and all under it; a page that several share counts once (`Pss`).
    pub(crate) fn tree_memory_bytes(&self) -> Result<u64> {
        let mut all = 0;
        for process in self.tree()? {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss in smaps_rollup")?;
            all += line.trim_end_matches("kB").trim().parse::<u64>()? << 10;
        }
        Ok(all)
    }

    /// Descriptors that are open in the server.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The child has not been waited for, so the id is still its own.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The processor time of a process, as [`Server::cpu`] has it.
pub(crate) fn cpu_of(process: Pid) -> Result<Duration> {
    Ok(clock_getcpuclockid(process)?.now()?.into())
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
