//! The life of a room of a cluster on this node.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    owner,
    task::{Keeper, Next, away},
    view::View,
};
use crate::{
    bus::{error::BusError, place::Acquired},
    close::Close,
    limits::{BUS_ANSWER, BUS_RETRY},
    metrics::present::PRESENT,
    partner::Verdict,
    room::{
        far::{Far, RoomReadiness},
        lock::lock,
    },
};

impl Keeper {
    /// Keeps the room until it is over on this node.
    pub(crate) async fn run(self) {
        let Some(far) = self.room.far.as_deref() else { return };
        let sending = Arc::clone(&self.room);
        let poster = tokio::spawn(async move {
            if let Some(far) = sending.far.as_deref() {
                far.poster.run(&far.place).await;
            }
        });
        let mut view = View::new(&self.room, far);
        loop {
            PRESENT.add_room(&self.room.live);
            if self.step(far, &mut view).await == Next::Over {
                break;
            }
        }
        PRESENT.end_room(&self.room.live);
        lock(&self.room.hub).close();
        far.set_ready(RoomReadiness::Over);
        if self.shutdown.has_begun() {
            self.wait_for_clients().await;
        }
        self.room.end(&Verdict::Dismissed(Close::new(Close::TRY_LATER, "the room has moved")));
        far.poster.close();
        let room = Arc::clone(&self.room);
        let leaving = tokio::spawn(async move {
            let _ = poster.await;
            if let Some(far) = room.far.as_deref() {
                leave(far).await;
            }
        });
        // While Redis is away it goes on: the owner would keep the clients that were here for ever.
        let _ = timeout(BUS_ANSWER, leaving).await;
    }

    async fn step(&self, far: &Far, view: &mut View<'_>) -> Next {
        if self.shutdown.has_begun() {
            return Next::Over;
        }
        match far.place.bus().is_settled().await {
            Ok(true) => {}
            Ok(false) if view.is_shown() => return view.show(self, far).await,
            Ok(false) => return self.pause().await,
            Err(error) => return self.wait_for_bus(far, view, &error).await,
        }
        let sent = std::time::Instant::now();
        match far.place.acquire().await {
            Ok(Acquired::Mine(epoch)) => {
                far.take(sent);
                owner::own(self, far, view, epoch, sent).await
            }
            Ok(Acquired::Other) => view.show(self, far).await,
            Err(error) => self.wait_for_bus(far, view, &error).await,
        }
    }

    /// Waits for Redis, as long as the clients may wait.
    pub(super) async fn wait_for_bus(&self, far: &Far, view: &mut View<'_>, error: &BusError) -> Next {
        error.log();
        if !view.is_shown() || view.has_failed_long(far) {
            far.set_ready(RoomReadiness::Away);
            lock(&self.room.hub).dismiss_all(&away());
            return Next::Over;
        }
        self.pause().await
    }

    async fn pause(&self) -> Next {
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

/// Forgets this user of the room's keys, once Redis answers.
async fn leave(far: &Far) {
    while let Err(BusError::Away | BusError::Redis(_)) = far.place.forget(far.place.id()).await {
        if far.place.loss().since().is_none() {
            return;
        }
        far.place.loss().over().await;
    }
}
