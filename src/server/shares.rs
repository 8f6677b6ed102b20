//! Shares the limit of open files between programs and connections.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::{
    answer::routes::Routes,
    event::Event,
    limits::{FORKS_MAX, OPEN_FILES_ENOUGH},
    shutdown::Shutdown,
    worker::descriptors::{Allotment, Descriptors},
};

/// The connections that may be open at a time, however many descriptors there are. A semaphore takes as many permits.
const SHARES_MAX: u32 = u32::MAX >> 3;

/// The shares of connections. Programs get the other descriptors.
#[derive(Debug)]
pub(super) struct Shares {
    descriptors: Descriptors,
    free: Arc<Semaphore>,
    /// The connections that may be open at a time.
    size: Mutex<u32>,
    /// The connections that wait for a share.
    waiting: Arc<AtomicUsize>,
}

impl Shares {
    /// Counts the descriptors that wsd itself has. No connection has a share before [`Shares::set_aside`].
    pub(super) fn new() -> Self {
        Self {
            descriptors: Descriptors::count(),
            free: Arc::new(Semaphore::new(0)),
            size: Mutex::default(),
            waiting: Arc::default(),
        }
    }

    /// Sets descriptors aside for the programs of `routes`. Warns if there are too few for `--maxforks`.
    ///
    /// If fewer connections may be open than are, new ones wait until enough of these have ended.
    pub(super) fn set_aside(&self, routes: &Routes, shutdown: &Shutdown) {
        let forks_max = routes.programs_max(routes.otherwise.launcher.admission.limit());
        let allotment = self.descriptors.allot(forks_max, routes.descriptors_of_connection());
        let Allotment { limit, programs, connections } = allotment;
        let is_told = |maxforks: &usize| limit < OPEN_FILES_ENOUGH || *maxforks > FORKS_MAX;
        if let Some(maxforks) = forks_max.filter(|maxforks| programs < *maxforks && is_told(maxforks)) {
            let hint = "raise the limit with ulimit -n, or lower --maxforks";
            Event::DescriptorsScarce { limit, programs, maxforks, hint }.emit();
        }
        let connections = u32::try_from(connections).unwrap_or(SHARES_MAX).min(SHARES_MAX);
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if connections >= *size {
            self.free.add_permits((connections - *size) as usize);
        } else {
            // At once as far as they are free, so that new connections cannot take them.
            let excess = (*size - connections) as usize;
            let excess = u32::try_from(excess - self.free.forget_permits(excess)).unwrap_or(SHARES_MAX);
            let (lost, begun) = (Arc::clone(&self.free).acquire_many_owned(excess), shutdown.clone());
            shutdown.spawn(async move {
                tokio::select! {
                    lost = lost => lost.into_iter().for_each(OwnedSemaphorePermit::forget),
                    () = begun.begun() => {}
                }
            });
        }
        *size = connections;
    }

    /// Takes the share of a connection that was accepted. Waits while all are taken, and logs it.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        if let Ok(taken) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(taken);
        }
        // Before the line in the log: its reader finds wsd not ready.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let hint = Some("raise the limit of open files: ulimit -n");
        Event::ConnectionsWait { cause: &"the other descriptors are for programs", hint }.emit();
        let taken = Arc::clone(&self.free).acquire_owned().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        taken
    }

    /// Returns the number of connections that wait for a share.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }
}
