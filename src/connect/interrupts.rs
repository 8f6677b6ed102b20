//! The signals that end the client.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::shutdown::signal::{HANGUP, INTERRUPT, QUIT, TERMINATE};

/// The signals that end the client in good order: Ctrl-C, SIGTERM, SIGHUP, SIGQUIT.
#[derive(Debug)]
pub(super) struct Interrupts([(Signal, u8); 4]);

impl Interrupts {
    /// Starts to handle these signals.
    pub(super) fn listen() -> io::Result<Self> {
        let listen = |kind, number| Ok::<_, io::Error>((signal(kind)?, number));
        Ok(Self([
            listen(SignalKind::interrupt(), INTERRUPT)?,
            listen(SignalKind::terminate(), TERMINATE)?,
            listen(SignalKind::hangup(), HANGUP)?,
            listen(SignalKind::quit(), QUIT)?,
        ]))
    }

    /// Resolves with the number of the next signal. Cancel safe.
    pub(super) async fn next(&mut self) -> u8 {
        let [one, two, three, four] = &mut self.0;
        tokio::select! {
            _ = one.0.recv() => one.1,
            _ = two.0.recv() => two.1,
            _ = three.0.recv() => three.1,
            _ = four.0.recv() => four.1,
        }
    }
}
