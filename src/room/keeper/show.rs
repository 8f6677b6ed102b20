//! Shows the room of another node until that is over, or until its lease is free.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::{
    task::{Keeper, Next, away, give_way},
    view::{RoomEnd, View},
};
use crate::{
    bus::{error::BusError, news::Note},
    limits::{BUS_PATIENCE, BUS_RETRY, LEASE_RENEWAL},
    room::{
        far::{Far, RoomReadiness},
        lock::lock,
    },
};

/// The result of a look at a room.
enum Seen {
    /// Another node has it; the time until the next look.
    Kept(Duration),
    /// Its lease is free.
    Free,
    /// It has ended.
    Ended(RoomEnd),
}

impl View<'_> {
    /// Shows the room until it is over, or until its lease is free.
    pub(super) async fn show(&mut self, keeper: &Keeper, far: &Far) -> Next {
        let mut look_at = Instant::now();
        match self.catch_up(far).await {
            Ok(Some(end)) => return self.end(end),
            Err(_) if self.last.is_none() => {
                far.set_ready(RoomReadiness::Away);
                return Next::Over;
            }
            Ok(None) | Err(_) => {}
        }
        if let Some(epoch) = self.ended.take() {
            return self.wait_for_next(keeper, far, epoch).await;
        }
        far.set_ready(RoomReadiness::Ready);
        loop {
            if self.is_left() {
                return Next::Over;
            }
            let patience = self.lost.borrow_and_update().map(|lost| Instant::from_std(lost) + BUS_PATIENCE);
            let caught_up = tokio::select! {
                () = keeper.shutdown.begun() => return Next::Over,
                () = far.emptied.notified() => Ok(None),
                () = far.owner.asked() => {
                    give_way(far, self.room);
                    Ok(None)
                }
                _ = self.forgotten.changed() => {
                    far.register();
                    Ok(None)
                }
                _ = self.lost.changed() => {
                    look_at = Instant::now();
                    Ok(None)
                }
                () = sleep_until(patience.unwrap_or_else(far_future)), if patience.is_some() => return self.give_up(),
                note = self.notes.recv() => match note {
                    Some(Note::Message(message)) if &*message == b"free" => return Next::Acquire,
                    // The queue was full, so it may have missed some.
                    Some(_) if self.notes.len() + 1 >= self.notes.max_capacity() => self.catch_up(far).await,
                    Some(Note::Message(message)) => self.hear(far, &message).await,
                    Some(Note::Missed) => self.catch_up(far).await,
                    None => {
                        self.notes = far.place.listen_out();
                        Ok(None)
                    }
                },
                () = sleep_until(look_at) => match self.look(far).await {
                    Ok(Seen::Free) => return Next::Acquire,
                    Ok(Seen::Ended(end)) => Ok(Some(end)),
                    Ok(Seen::Kept(pause)) => {
                        self.works();
                        look_at = Instant::now() + pause;
                        Ok(None)
                    }
                    Err(error) => Err(error),
                },
            };
            match caught_up {
                Ok(None) => {}
                Ok(Some(end)) => return self.end(end),
                Err(error) => {
                    error.log();
                    if self.has_failed_long(far) {
                        return self.give_up();
                    }
                    look_at = Instant::now() + BUS_RETRY;
                }
            }
        }
    }

    async fn look(&mut self, far: &Far) -> Result<Seen, BusError> {
        let look = far.place.look().await?;
        if look.leased.is_none() && far.place.bus().is_settled().await? {
            return Ok(Seen::Free);
        }
        if Some(look.last_out) > self.last
            && let Some(end) = self.catch_up(far).await?
        {
            return Ok(Seen::Ended(end));
        }
        let Some(leased) = look.leased else { return Ok(Seen::Kept(BUS_RETRY)) };
        far.live.set_node(&look.node);
        Ok(Seen::Kept(LEASE_RENEWAL.min(leased + Duration::from_millis(20))))
    }

    /// Waits until a room that has ended in `epoch` is over everywhere: for its owner, all that was said is for nobody.
    async fn wait_for_next(&mut self, keeper: &Keeper, far: &Far, epoch: u64) -> Next {
        loop {
            match far.place.look().await {
                Ok(look) if look.leased.is_some() && look.epoch == epoch => {}
                Ok(_) => return Next::Acquire,
                Err(error) => error.log(),
            }
            if keeper.shutdown.has_begun() || self.is_left() {
                return Next::Over;
            }
            let _ = timeout(BUS_RETRY, self.notes.recv()).await;
        }
    }

    /// Whether nobody here needs the room.
    fn is_left(&self) -> bool {
        let mut hub = lock(&self.room.hub);
        hub.is_for_clients() && hub.close_if_empty()
    }

    /// Ends the clients here: Redis has been away for too long.
    fn give_up(&self) -> Next {
        lock(&self.room.hub).dismiss_all(&away());
        Next::Over
    }
}

fn far_future() -> Instant {
    Instant::now() + Duration::from_hours(24)
}
