//! systemd: the sockets it passes (`sd_listen_fds(3)`) and the states that wsd reports to it (`sd_notify(3)`).

use std::{
    convert::Infallible,
    env, io,
    os::fd::AsFd,
    sync::mpsc::{SyncSender, sync_channel},
    time::Duration,
};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener};

use super::listener::{BindError, Listener, set_options};

/// Notices that wait for a systemd that takes nothing (`NOTIFY_SOCKET`); wsd drops further ones.
const MANAGER_QUEUE: usize = 64;

/// The name (`FileDescriptorName=`) of sockets whose clients wsd redirects.
pub(super) const REDIRECT: &str = "redirect";

/// Whether systemd passed sockets to this process that [`listeners`] would take.
pub(crate) fn hands_over() -> bool {
    let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u32>().ok());
    let process = env::var("LISTEN_PID").unwrap_or_default();
    count.is_some_and(|count| count > 0) && (process.is_empty() || process == std::process::id().to_string())
}

/// Takes the sockets that systemd passed: first those that serve, then those that only redirect ([`REDIRECT`]).
pub(super) fn listeners() -> Result<(Vec<Listener>, Vec<Listener>), BindError> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<_> = names.split(':').collect();
    let mut handed = ListenFd::from_env();
    let (mut main, mut redirect) = (Vec::new(), Vec::new());
    for index in 0..handed.len() {
        let listener = take(&mut handed, index).map_err(|cause| BindError {
            place: format!("socket {index} of LISTEN_FDS"),
            flag: "",
            is_file: false,
            cause,
        })?;
        let list = if names.get(index) == Some(&REDIRECT) { &mut redirect } else { &mut main };
        list.push(listener);
    }
    Ok((main, redirect))
}

fn take(handed: &mut ListenFd, index: usize) -> io::Result<Listener> {
    let nothing = || io::Error::other("it is neither a TCP nor a Unix stream socket");
    if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
        check(&listener)?;
        listener.set_nonblocking(true)?;
        set_options(&listener)?;
        return Ok(Listener::Tcp(TcpListener::from_std(listener)?));
    }
    let listener = handed.take_unix_listener(index).ok().flatten().ok_or_else(nothing)?;
    check(&listener)?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(UnixListener::from_std(listener)?))
}

/// Refuses a socket that does not listen: with `Accept=yes` systemd passes connections instead.
fn check(socket: &impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(io::Error::other("the socket does not listen; set Accept=no in its unit"))
    }
}

/// Reports states to systemd from a thread of its own: systemd may be busy for long, and wsd does not wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    /// `None` without systemd.
    sender: Option<SyncSender<Vec<NotifyState<'static>>>>,
}

impl Manager {
    /// Starts the thread. Needs a tokio runtime; the end of the runtime waits a little for the last report.
    pub(crate) fn start() -> Self {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Self { sender: None };
        }
        let (sender, states) = sync_channel::<Vec<NotifyState<'static>>>(MANAGER_QUEUE);
        tokio::task::spawn_blocking(move || {
            for state in states {
                // A lost report is no error.
                let _ = sd_notify::notify(&state);
            }
        });
        Self { sender: Some(sender) }
    }

    /// Reports that wsd serves.
    pub(crate) fn ready(&self) {
        self.send(vec![NotifyState::Ready]);
    }

    /// Reports that wsd reloads its settings; [`Manager::ready`] reports that it has done so.
    pub(crate) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now().ok();
        self.send([NotifyState::Reloading].into_iter().chain(now).collect());
    }

    /// Reports that wsd stops.
    pub(crate) fn stopping(&self) {
        self.send(vec![NotifyState::Stopping]);
    }

    /// Reports that wsd is alive, twice within the limit of systemd's watchdog. Does nothing if there is no watchdog.
    pub(crate) async fn feed_watchdog(&self) -> Infallible {
        let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
        let mut feed = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
        loop {
            feed.tick().await;
            self.send(vec![NotifyState::Watchdog]);
        }
    }

    fn send(&self, state: Vec<NotifyState<'static>>) {
        if let Some(sender) = &self.sender {
            // A full queue drops the report.
            let _ = sender.try_send(state);
        }
    }
}
