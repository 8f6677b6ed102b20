//! The signals that end the client.

use std::{future::poll_fn, io, task::Poll};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    shutdown::signal::{HANGUP, INTERRUPT, QUIT, TERMINATE},
    sys::is_ignored,
};

/// The signals that end the client in good order: Ctrl-C, SIGTERM, SIGHUP, SIGQUIT.
#[derive(Debug)]
pub(super) struct Interrupts(Vec<(Signal, u8)>);

impl Interrupts {
    /// Starts to handle these signals. Those that it was told to ignore it does: `nohup` and the background of a script do so,
    /// but for SIGTERM.
    pub(super) fn listen() -> io::Result<Self> {
        let heard = [INTERRUPT, HANGUP, QUIT].into_iter().filter(|&number| !is_ignored(number.into()));
        let listen = |number: u8| Ok((signal(SignalKind::from_raw(number.into()))?, number));
        heard.chain([TERMINATE]).map(listen).collect::<io::Result<_>>().map(Self)
    }

    /// Resolves with the number of the next signal. Cancel safe.
    pub(super) async fn next(&mut self) -> u8 {
        poll_fn(|cx| {
            let came =
                self.0.iter_mut().find_map(|(signal, number)| signal.poll_recv(cx).is_ready().then_some(*number));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
