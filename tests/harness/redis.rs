//! A Redis of a test's own on loopback: started, stopped, paused, and asked.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::time::{DEADLINE, eventually};
use crate::tree::Tree;

/// A running `redis-server`. Dropping it stops it.
pub struct Redis {
    child: Option<Child>,
    /// Its working folder: a replica writes a file there, which every Redis that starts there loads.
    folder: Tree,
    port: u16,
    program: String,
    variables: Vec<(String, String)>,
    /// Arguments before and behind those of every Redis.
    arguments: [Vec<String>; 2],
}

/// The program of a Redis.
fn server() -> String {
    env::var("WSD_REDIS").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A port of loopback that nobody uses now.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Redis {
    /// Starts it with these arguments. `None` if it is not installed.
    ///
    /// `WSD_REDIS` names another program, such as `valkey-server`.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_as(&server(), &[], arguments)
    }

    /// Starts this program with these variables and arguments. `None` if it is not installed.
    pub fn start_as(program: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Option<Self> {
        Self::run(program, variables, &[], &[&["--save", "", "--appendonly", "no"], arguments].concat())
    }

    fn run(program: &str, variables: &[(&str, &str)], before: &[&str], behind: &[&str]) -> Option<Self> {
        Command::new(program).arg("--version").stdout(Stdio::null()).status().ok()?;
        let owned = |arguments: &[&str]| arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut redis = Self {
            child: None,
            folder: Tree::new(),
            port: free_port(),
            program: program.to_owned(),
            variables: variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            arguments: [owned(before), owned(behind)],
        };
        redis.start_again();
        Some(redis)
    }

    /// Starts it again at the same port, without its data.
    pub fn start_again(&mut self) {
        let port = self.port.to_string();
        self.folder = Tree::new();
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path("")).envs(self.variables.iter().cloned());
        let [before, behind] = &self.arguments;
        command.args(before).args(["--port", &port, "--bind", "127.0.0.1"]).args(behind);
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("Redis listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok());
    }

    /// Starts sentinels of one Redis: they watch the one at `port` as `mymaster`, and its replicas. Its file is `path`.
    pub fn sentinel(port: u16, path: &str) -> Option<Self> {
        let settings = format!(
            "sentinel monitor mymaster 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds mymaster 500\n\
             sentinel failover-timeout mymaster 2000\n"
        );
        fs::write(path, settings).unwrap();
        Self::run(&server(), &[], &[path], &["--sentinel"])
    }

    /// Starts the primaries of one cluster, then so many replicas of each. A part of it serves its keys when another is gone.
    /// `None` if Redis or its client is not installed.
    pub fn cluster(primaries: usize, replicas: usize) -> Option<Vec<Self>> {
        Command::new("redis-cli").arg("--version").stdout(Stdio::null()).status().ok()?;
        let start = |_| {
            let bus = free_port().to_string();
            let ports = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            let times = ["--cluster-node-timeout", "3000", "--repl-diskless-sync-delay", "0"];
            Self::start(&[&ports[..], &times, &["--cluster-require-full-coverage", "no"]].concat())
        };
        let count = primaries * (1 + replicas);
        let mut tries = 0;
        let all = loop {
            let all = (0..count).map(start).collect::<Option<Vec<_>>>()?;
            let addresses = all.iter().map(|redis| format!("127.0.0.1:{}", redis.port));
            let mut create = Command::new("redis-cli");
            create.args(["--cluster", "create"]).args(addresses).args(["--cluster-replicas", &replicas.to_string()]);
            let created = create.arg("--cluster-yes").output().unwrap();
            if created.status.success() {
                break all;
            }
            // Another program may have had a port before Redis.
            tries += 1;
            assert!(tries < 3, "no cluster: {}", String::from_utf8_lossy(&created.stdout));
        };
        let is_ready = |redis: &Self| {
            let state = redis.ask(&["INFO", "replication"]);
            let is_in_step = !state.contains("role:slave") || state.contains("master_link_status:up");
            is_in_step && redis.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        };
        eventually("the cluster is ready", || all.iter().all(is_ready).then_some(()));
        all[..primaries].iter().for_each(|primary| primary.expect_replicas(replicas));
        Some(all)
    }

    /// Waits until so many replicas have all that is written. A server becomes a replica at any time after it is told to, takes
    /// the data of its primary, and gets what is written only after its next acknowledgement, which comes once a second.
    pub fn expect_replicas(&self, count: usize) {
        if count == 0 {
            return;
        }
        self.ask(&["FLUSHALL"]);
        eventually("the replicas are in step", || {
            let state = self.ask(&["INFO", "replication"]);
            let offset = state.lines().find_map(|line| line.strip_prefix("master_repl_offset:"))?;
            let has_all = |line: &&str| line.starts_with("slave") && line.contains(&format!(",offset={offset},"));
            (offset != "0" && state.lines().filter(has_all).count() == count).then_some(())
        });
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().id().cast_signed()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command, and gives the answer as Redis writes it.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            write!(command, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        command += "*1\r\n$4\r\nQUIT\r\n";
        stream.write_all(command.as_bytes()).unwrap();
        // A sentinel knows no QUIT.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).trim_end_matches("+OK\r\n").to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
