//! Owns a room: runs its worker, renews the lease, and sends the output.

use std::{pin::pin, sync::Arc, time::Instant};

use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    intake::FarInput,
    task::{Keeper, Next},
    view::View,
};
use crate::{
    bus::{error::BusError, records::RecordId},
    close::Close,
    event::Event,
    limits::{BUS_ANSWER, BUS_RETRY, LEASE_DOUBT, LEASE_RENEWAL, OUT_RECORDS},
    partner::Verdict,
    room::{
        far::{Far, RoomReadiness},
        host,
        lock::lock,
    },
    worker::Worker,
};

/// Runs the room's worker in `epoch` to its end, or until another node has the room.
pub(super) async fn own(keeper: &Keeper, far: &Far, view: &mut View<'_>, epoch: u64) -> Next {
    let room = &keeper.room;
    let path = String::from_utf8_lossy(&room.path).into_owned();
    let mut intake = FarInput::new(room, far);
    match prepare(far, view, &mut intake).await {
        Ok(Next::Acquire) => {}
        Ok(Next::Over) => {
            give_back(far, epoch).await;
            return Next::Over;
        }
        Err(error) => {
            error.log();
            far.give_up();
            sleep(BUS_RETRY).await;
            return Next::Acquire;
        }
    }
    let Some((worker, permit)) = keeper.kept.start_aside(&keeper.admission, &room.options.route).await else {
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
    work(keeper, far, &mut intake, worker, epoch).await;
    room.live.set_pid(None);
    view.set_last(RecordId(epoch, far.outlet.sent()));
    if far.is_fenced() {
        Event::RoomFenced { path: &path, epoch }.emit();
        intake.end();
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
async fn work(keeper: &Keeper, far: &Far, intake: &mut FarInput<'_>, worker: Worker, epoch: u64) {
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
    let (mut renewing, mut ended, mut is_sending) = (pin!(renew(far, epoch, room)), pin!(ended), true);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = &mut sending, if is_sending => is_sending = false,
            () = &mut renewing => {}
            () = intake.run() => {}
        }
    }
    if !far.is_fenced() {
        far.outlet.close();
        if is_sending {
            let _ = timeout(BUS_ANSWER, sending).await;
        }
    }
}

async fn give_back(far: &Far, epoch: u64) {
    let _ = timeout(BUS_ANSWER, far.place.release(epoch)).await;
}

/// Renews the lease until another node has the room.
async fn renew(far: &Far, epoch: u64, room: &crate::room::Room) {
    let mut changes = far.place.loss().changes();
    let mut renewed = Instant::now();
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
