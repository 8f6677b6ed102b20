//! Builds the rooms of a site.

use std::{sync::Arc, time::Duration};

use super::error::Error;
use crate::{
    answer::scripts::Scripts,
    bus::handle::Bus,
    cli::{
        site::{RoomFlags, SharingWord, SiteFlags, SlowWord},
        value::is_on,
    },
    framing::Framing,
    limits::{LINGER, SLOW_WAIT},
    room::{
        options::{RoomOptions, Slow},
        registry::{Rooms, Sharing},
    },
    worker::process::ProcessOptions,
};

/// Builds the rooms, if clients share a program or its framing names the clients.
pub(super) fn rooms(
    flags: &SiteFlags,
    scripts: Option<&Scripts>,
    framing: Framing,
    process: &ProcessOptions,
    bus: Option<&Bus>,
) -> Result<Option<Arc<Rooms>>, Error> {
    let RoomFlags { shared, eager, history, linger, slow, slow_wait } = &flags.rooms;
    let sharing = match flags.rooms.sharing() {
        SharingWord::Off => Sharing::Alone,
        SharingWord::All => Sharing::All,
        SharingWord::Path => Sharing::Path,
    };
    let is_shared = sharing != Sharing::Alone;
    if matches!(scripts, Some(Scripts::Dir(..))) && sharing == Sharing::All {
        let error = Error::new("cannot combine --shared and --dir", "write --shared=path for a room at each path");
        return Err(error.about(shared).about(&flags.served.dir));
    }
    if scripts.is_none() || !is_shared && !framing.names_clients() {
        return Ok(None);
    }
    let slow = match slow.as_deref() {
        None | Some(SlowWord::Close) => Slow::Close,
        Some(SlowWord::Drop) => Slow::Drop,
        Some(SlowWord::Wait) => Slow::Wait,
    };
    let options = RoomOptions {
        framing,
        message_bytes_max: process.message_bytes_max,
        slow,
        history: history.as_deref().map_or(0, |count| *count),
        linger: match linger.as_deref() {
            _ if !is_shared => Some(Duration::ZERO),
            _ if is_on(eager) => None,
            secs => Some(secs.map_or(LINGER, |secs| secs.0)),
        },
        is_for_one: !is_shared,
        patience: process.patience,
        slow_wait: slow_wait.as_deref().map_or(SLOW_WAIT, |secs| secs.0),
        budget: process.budget.clone(),
        route: Arc::clone(&process.route),
    };
    Ok(Some(Rooms::new(sharing, options, bus.filter(|_| is_shared).cloned())))
}
