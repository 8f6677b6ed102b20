//! The processes of a worker that may be outside of its process group.
//!
//! They are its descendants as long as their parents live. Then they are orphans, which the kernel makes children of wsd; wsd
//! knows them by the worker's `UNIQUE_ID` in their environment, or since it has seen them before.

use std::time::Duration;

use rustix::{
    io::Errno,
    process::{Pid, Signal, getpgid},
};
use tokio::time::sleep;

use super::{
    orphans,
    procfs::{ProcessIdentity, children, first_children, stat, unique_id},
    unique_id::UniqueId,
};

/// The first pause for killed processes to end; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(1);

/// The pauses until wsd leaves the rest to the reaper: 63 ms.
const PAUSES: u32 = 6;

/// The pauses for an orphan that may execute its program at the moment, and shows no environment meanwhile: 15 ms.
const STRANGER_PAUSES: u32 = 4;

/// Looks for processes to kill: one finds all, and another those that began meanwhile. A program that does nothing but start
/// others could go on for ever.
const LOOKS_MAX: usize = 20;

/// The processes of one worker, without the worker itself.
#[derive(Debug)]
pub(super) struct Descendants {
    worker: Pid,
    /// Whether the worker has ended, so that it has no children any more.
    has_ended: bool,
    id: Option<UniqueId>,
    known: Vec<Descendant>,
    /// Whether the last look saw an orphan of which it cannot tell whose it is.
    has_stranger: bool,
}

#[derive(Clone, Copy, Debug)]
struct Descendant {
    process: ProcessIdentity,
    is_killed: bool,
}

/// Returns so many pauses, from [`PAUSE`] on.
fn pauses(count: u32) -> impl Iterator<Item = Duration> {
    (0..count).map(|pause| PAUSE * 2_u32.pow(pause))
}

impl Descendants {
    /// Looks for the descendants of a worker, which must not be reaped as long as this is used.
    pub(super) fn of(worker: Pid, id: Option<UniqueId>, has_ended: bool) -> Self {
        let mut descendants = Self { worker, has_ended, id, known: Vec::new(), has_stranger: false };
        if !has_ended {
            let mut queue = first_children(worker);
            queue.retain(|&child| descendants.add(child));
            descendants.add_descendants(queue);
        }
        descendants
    }

    /// Notes that the worker has ended.
    pub(super) fn set_ended(&mut self) {
        self.has_ended = true;
    }

    /// Sends a signal to all that are outside of the worker's group.
    pub(super) fn signal(&mut self, signal: Signal) {
        self.look();
        for descendant in &self.known {
            if getpgid(Some(descendant.process.pid)) != Ok(self.worker) {
                let _ = descendant.process.signal(signal);
            }
        }
    }

    /// Kills all, also those of the group. Returns one that wsd may not kill.
    pub(super) fn kill(&mut self) -> Option<Pid> {
        let mut refused = None;
        for _ in 0..LOOKS_MAX {
            self.look();
            let mut is_done = true;
            for descendant in self.known.iter_mut().filter(|descendant| !descendant.is_killed) {
                (descendant.is_killed, is_done) = (true, false);
                if descendant.process.signal(Signal::KILL) == Err(Errno::PERM) {
                    refused = Some(descendant.process.pid);
                }
            }
            if is_done {
                break;
            }
        }
        refused
    }

    /// Kills all as [`Descendants::kill`] does, waits a little until they are gone, and reaps them.
    pub(super) async fn end(&mut self) -> Option<Pid> {
        let mut refused = self.kill();
        let mut stranger_pauses = pauses(STRANGER_PAUSES);
        while self.has_stranger
            && let Some(pause) = stranger_pauses.next()
        {
            sleep(pause).await;
            refused = refused.or(self.kill());
        }
        let mut pauses = pauses(PAUSES);
        while !self.known.is_empty()
            && let Some(pause) = pauses.next()
        {
            sleep(pause).await;
            orphans::living();
            self.known.retain(|descendant| Some(descendant.process.pid) != refused && descendant.process.is_alive());
        }
        refused
    }

    /// Whether a process of the worker's group runs, except the worker.
    pub(super) fn has_group(&mut self) -> bool {
        self.look();
        let worker = self.worker;
        self.known.iter().any(|descendant| getpgid(Some(descendant.process.pid)) == Ok(worker))
    }

    /// Adds those that are new, and forgets those that have ended.
    fn look(&mut self) {
        self.known.retain(|descendant| descendant.process.is_alive());
        let mut queue = self.roots();
        self.has_stranger = false;
        for orphan in orphans::living() {
            let mut is_ours = getpgid(Some(orphan)) == Ok(self.worker);
            if !is_ours && self.id.is_some() {
                let id = unique_id(orphan);
                is_ours = id == self.id;
                self.has_stranger |= id.is_none();
            }
            if is_ours {
                if self.add(orphan) {
                    queue.push(orphan);
                } else {
                    // A killed one may have ended since it was listed.
                    orphans::reap(orphan);
                }
            }
        }
        self.add_descendants(queue);
    }

    /// Returns the processes that may have children which are not known.
    fn roots(&self) -> Vec<Pid> {
        let worker = (!self.has_ended).then_some(self.worker);
        worker.into_iter().chain(self.known.iter().map(|descendant| descendant.process.pid)).collect()
    }

    fn add_descendants(&mut self, mut queue: Vec<Pid>) {
        while let Some(parent) = queue.pop() {
            for child in children(parent) {
                if self.add(child) {
                    queue.push(child);
                }
            }
        }
    }

    /// Adds a process unless it is known or has ended; returns whether it did.
    fn add(&mut self, pid: Pid) -> bool {
        let Some(stat) = stat(pid).filter(|stat| !stat.is_zombie) else { return false };
        let is_new = self.known.iter().all(|known| known.process != stat.process);
        if is_new {
            self.known.push(Descendant { process: stat.process, is_killed: false });
        }
        is_new
    }
}
