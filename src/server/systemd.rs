//! systemd: sockets handed over (`sd_listen_fds(3)`), and what it is told (`sd_notify(3)`).

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
use crate::limits::MANAGER_QUEUE;

/// The name (`FileDescriptorName=`) of sockets whose clients are redirected.
pub(super) const REDIRECT: &str = "redirect";

/// Whether there are sockets handed over that [`listeners`] would take.
pub(crate) fn hands_over() -> bool {
    let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u32>().ok());
    let process = env::var("LISTEN_PID").unwrap_or_default();
    count.is_some_and(|count| count > 0) && (process.is_empty() || process == std::process::id().to_string())
}

/// The sockets handed over, those for what is served and those for redirects.
pub(super) fn listeners() -> Result<(Vec<Listener>, Vec<Listener>), BindError> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<_> = names.split(':').collect();
    let mut handed = ListenFd::from_env();
    let (mut main, mut redirect) = (Vec::new(), Vec::new());
    for index in 0..handed.len() {
        let listener = take(&mut handed, index)
            .map_err(|cause| BindError { place: format!("socket {index} of LISTEN_FDS"), cause })?;
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

/// Refuses a socket on which nobody listens: with `Accept=yes` systemd hands over connections.
fn check(socket: &impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(io::Error::other("nobody listens on it; the unit must have Accept=no"))
    }
}

/// What is told to systemd, by a thread of its own: systemd may be busy for long, and wsd does not wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    /// `None` without systemd: there is nobody to tell.
    sender: Option<SyncSender<Vec<NotifyState<'static>>>>,
}

impl Manager {
    /// Needs a runtime, whose end waits a little for what was told last.
    pub(crate) fn start() -> Self {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Self { sender: None };
        }
        let (sender, told) = sync_channel::<Vec<NotifyState<'static>>>(MANAGER_QUEUE);
        tokio::task::spawn_blocking(move || {
            for state in told {
                // If it is not heard, that is no error.
                let _ = sd_notify::notify(&state);
            }
        });
        Self { sender: Some(sender) }
    }

    /// Tells that wsd serves.
    pub(crate) fn ready(&self) {
        self.tell(vec![NotifyState::Ready]);
    }

    /// Tells that the settings are being loaded again; [`Manager::ready`] tells that they have been.
    pub(crate) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now().ok();
        self.tell([NotifyState::Reloading].into_iter().chain(now).collect());
    }

    /// Tells that wsd ends.
    pub(crate) fn stopping(&self) {
        self.tell(vec![NotifyState::Stopping]);
    }

    /// Tells now and then that wsd is alive, if systemd watches that.
    pub(crate) async fn feed_watchdog(&self) -> Infallible {
        let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
        let mut feed = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
        loop {
            feed.tick().await;
            self.tell(vec![NotifyState::Watchdog]);
        }
    }

    fn tell(&self, state: Vec<NotifyState<'static>>) {
        if let Some(sender) = &self.sender {
            // If even the queue is full, it is left out.
            let _ = sender.try_send(state);
        }
    }
}
