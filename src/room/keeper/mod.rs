//! Keeps a room of a cluster (`--bus`) on this node: runs its worker while this node has the lease, and shows the room of
//! another node otherwise.

mod intake;
mod owner;
mod view;

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    Room,
    far::{Far, Readiness},
    kept::Kept,
    lock::lock,
};
use crate::{
    admission::Admission,
    bus::{BusError, place::Acquired},
    close::Close,
    limits::{BUS_ANSWER, BUS_PATIENCE, BUS_RETRY},
    partner::Verdict,
    peer::Connection,
    shutdown::Shutdown,
};
use view::View;

/// A room of a cluster, and what its worker needs.
pub(super) struct Keeper {
    /// The room.
    pub(super) room: Arc<Room>,
    /// The program.
    pub(super) kept: Kept,
    /// The fork slots.
    pub(super) admission: Admission,
    /// The connection that stands for the worker in the log.
    pub(super) connection: Connection,
    /// The end of wsd.
    pub(super) shutdown: Shutdown,
}

/// What a room does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It tries to take the lease.
    Acquire,
    /// It is over on this node.
    Over,
}

impl Keeper {
    /// Keeps the room until it is over on this node.
    pub(super) async fn run(self) {
        let Some(far) = self.room.far.as_deref() else { return };
        let sending = Arc::clone(&self.room);
        let poster = tokio::spawn(async move {
            if let Some(far) = sending.far.as_deref() {
                far.poster.run(&far.place).await;
            }
        });
        let mut view = View::new(&self.room, far);
        while self.step(far, &mut view).await == Next::Acquire {}
        lock(&self.room.hub).close();
        far.set_ready(Readiness::Over);
        if self.shutdown.has_begun() {
            self.wait_for_clients().await;
        }
        self.room.end(&Verdict::Dismissed(Close::new(Close::TRY_LATER, "the room has moved")));
        far.poster.close();
        let _ = timeout(BUS_ANSWER, poster).await;
        if far.place.bus().lost().is_none() {
            let _ = timeout(BUS_ANSWER, far.place.forget(far.place.id())).await;
        }
    }

    async fn step(&self, far: &Far, view: &mut View<'_>) -> Next {
        if self.shutdown.has_begun() {
            return Next::Over;
        }
        let sent = std::time::Instant::now();
        match far.place.acquire().await {
            Ok(Acquired::Mine(epoch)) => {
                far.take(sent);
                owner::own(self, far, view, epoch).await
            }
            Ok(Acquired::Other) => view.show(self, far).await,
            Err(error) => self.wait_for_bus(far, view, &error).await,
        }
    }

    /// Waits for Redis, as long as the clients may wait.
    async fn wait_for_bus(&self, far: &Far, view: &View<'_>, error: &BusError) -> Next {
        error.log();
        let lost = far.place.bus().lost();
        if !view.is_shown() || lost.is_some_and(|lost| lost.elapsed() >= BUS_PATIENCE) {
            far.set_ready(Readiness::Away);
            lock(&self.room.hub).dismiss_all(&away());
            return Next::Over;
        }
        tokio::select! { () = sleep(BUS_RETRY) => {}, () = self.shutdown.begun() => {} }
        Next::Acquire
    }

    /// Waits until the sessions of the clients here have ended by themselves, at the end of wsd.
    async fn wait_for_clients(&self) {
        let gone = async {
            while !lock(&self.room.hub).has_no_seats() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(BUS_ANSWER, gone).await;
    }
}

/// The end of the clients while Redis is away.
fn away() -> Verdict {
    Verdict::Dismissed(Close::new(Close::TRY_LATER, "the rooms of other nodes are away"))
}
