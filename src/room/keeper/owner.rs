//! Owns a room: runs its worker, renews the lease, and sends the output.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    time::Instant,
};

use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    intake::FarInput,
    task::{Keeper, Next, give_way},
    view::View,
};
use crate::{
    bus::{error::BusError, records::RecordId},
    close::Close,
    event::Event,
    limits::{BUS_ANSWER, BUS_PATIENCE, BUS_RETRY, LEASE_DOUBT, LEASE_RENEWAL, OUT_RECORDS},
    partner::Verdict,
    room::{
        Room,
        far::{Far, RoomReadiness},
        host,
        lock::lock,
    },
    worker::Worker,
};

/// Runs the room's worker in `epoch` to its end, or until another node has the room. Redis was asked for the lease at `sent`.
pub(super) async fn own(keeper: &Keeper, far: &Far, view: &mut View<'_>, epoch: u64, sent: Instant) -> Next {
    let room = &keeper.room;
    let path = String::from_utf8_lossy(&room.path).into_owned();
    let mut intake = FarInput::new(room, far, epoch);
    // A program may start late, when another must end first.
    let mut renewing = pin!(renew(far, epoch, room, sent));
    // The others may have given up this node and forgotten its clients.
    far.register();
    match beside(prepare(far, view, &mut intake), renewing.as_mut()).await {
        Ok(Next::Acquire) => view.works(),
        Ok(Next::Over) => {
            give_back(far, epoch).await;
            return Next::Over;
        }
        Err(error) => {
            intake.end();
            give_back(far, epoch).await;
            far.give_up();
            return keeper.wait_for_bus(far, view, &error).await;
        }
    }
    let starting = keeper.kept.start_aside(&keeper.admission, &room.options.route);
    let Some((worker, permit)) = beside(starting, renewing.as_mut()).await else {
        intake.end();
        give_back(far, epoch).await;
        far.set_ready(RoomReadiness::Unstarted);
        let close = Close::new(Close::SERVER_ERROR, "the program cannot be started");
        lock(&room.hub).dismiss_all(&Verdict::Dismissed(close));
        return Next::Over;
    };
    Event::RoomTaken { path: &path, epoch }.emit();
    far.live.set_node(far.place.bus().node());
    far.outlet.begin();
    lock(&room.hub).set_slot(permit);
    room.begin(worker.child.pid(), worker.tape.as_ref().map(|tape| tape.track()));
    work(keeper, far, &mut intake, worker, epoch, renewing.as_mut()).await;
    room.live.set_pid(None);
    view.set_last(RecordId(epoch, far.outlet.sent()));
    if far.is_fenced() {
        Event::RoomFenced { path: &path, epoch }.emit();
        intake.end();
        // If nobody has the lease, a record that is not wsd's has taken the place of those of this epoch.
        give_back(far, epoch).await;
        far.give_up();
        return Next::Acquire;
    }
    let _ = timeout(BUS_ANSWER, intake.finish(far.has_ended())).await;
    intake.end();
    give_back(far, epoch).await;
    Next::Over
}

/// Hands on what the last owner sent, and finds out who is here. Tells whether the room goes on.
async fn prepare(far: &Far, view: &mut View<'_>, intake: &mut FarInput<'_>) -> Result<Next, BusError> {
    if let Some(end) = view.catch_up(far).await?
        && view.end(end) == Next::Over
    {
        return Ok(Next::Over);
    }
    intake.begin().await?;
    Ok(Next::Acquire)
}

/// Runs the worker to its end, with all that it needs of the bus.
async fn work(
    keeper: &Keeper,
    far: &Far,
    intake: &mut FarInput<'_>,
    worker: Worker,
    epoch: u64,
    mut renewing: Pin<&mut impl Future<Output = Infallible>>,
) {
    let room = &keeper.room;
    let (tell, ended) = oneshot::channel();
    let (hosted, connection, end) = (Arc::clone(room), keeper.connection.clone(), keeper.shutdown.clone());
    keeper.shutdown.spawn(async move {
        host::run(hosted, worker, &connection, &end).await;
        let _ = tell.send(());
    });
    far.set_ready(RoomReadiness::Ready);
    let kept = OUT_RECORDS.max(room.options.history);
    let mut sending = pin!(async {
        let written = || room.written(far);
        if far.outlet.run(&far.place, epoch, kept, &room.pressure.host, written).await.is_err() {
            far.fence();
        }
    });
    let (mut ended, mut is_sending) = (pin!(ended), true);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = &mut sending, if is_sending => is_sending = false,
            never = &mut renewing => match never {},
            () = far.owner.asked() => give_way(far, room),
            () = intake.run() => {}
        }
    }
    far.outlet.close();
    if is_sending {
        // The clients of other nodes wait for the rest, and for the end, as long as for Redis.
        let patience = if keeper.shutdown.has_begun() { BUS_ANSWER } else { BUS_PATIENCE };
        tokio::select! {
            _ = timeout(patience, sending) => {}
            () = far.fenced() => {}
            never = &mut renewing => match never {},
        }
    }
}

/// Runs `main` to its end, while `side` goes on.
async fn beside<T>(main: impl Future<Output = T>, side: Pin<&mut impl Future<Output = Infallible>>) -> T {
    tokio::select! {
        result = main => result,
        never = side => match never {},
    }
}

async fn give_back(far: &Far, epoch: u64) {
    let _ = timeout(BUS_ANSWER, far.place.release(epoch)).await;
}

/// Renews the lease, which Redis was asked for at `renewed`, until another node has the room.
async fn renew(far: &Far, epoch: u64, room: &Room, mut renewed: Instant) -> Infallible {
    let mut changes = far.place.loss().changes();
    loop {
        // The clock of the runtime stands still while wsd is stopped: so short looks.
        while renewed.elapsed() < LEASE_RENEWAL && !changes.has_changed().unwrap_or(false) {
            tokio::select! {
                () = sleep(LEASE_RENEWAL.saturating_sub(renewed.elapsed())) => {}
                _ = changes.changed() => break,
            }
        }
        changes.mark_unchanged();
        // The worker and the clients may go on when Redis is known to be away.
        room.pressure.host.wake();
        far.poster.wake_all();
        let sent = Instant::now();
        match far.place.renew(epoch).await {
            Ok(true) => {
                renewed = sent;
                far.renew(sent);
                room.pressure.host.wake();
            }
            Ok(false) | Err(BusError::Fenced) => {
                far.fence();
                return std::future::pending().await;
            }
            Err(_) => {
                let pause = if renewed.elapsed() < LEASE_DOUBT { BUS_RETRY } else { BUS_RETRY * 2 };
                sleep(pause).await;
            }
        }
    }
}
