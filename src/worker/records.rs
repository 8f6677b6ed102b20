//! The list of running workers, in memory that outlives wsd: the guard reads it when wsd has been killed.

#[cfg(target_os = "linux")]
use std::io;
use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use rustix::process::Pid;

use super::unique_id::UniqueId;

/// Bytes of a record: the id of the process and its `UNIQUE_ID`. Zeros are none.
const BYTES: usize = size_of::<i32>() + UniqueId::BYTES;

static TABLE: OnceLock<File> = OnceLock::new();
static SLOTS: Mutex<RecordSlots> = Mutex::new(RecordSlots { free: Vec::new(), count: 0 });

/// The places in the table.
struct RecordSlots {
    free: Vec<u64>,
    /// The places that have ever been taken.
    count: u64,
}

/// The record of one worker. Dropping it removes the record.
#[derive(Debug)]
pub(super) struct WorkerRecord {
    slot: u64,
    id: Option<UniqueId>,
}

impl WorkerRecord {
    /// Adds a record for a worker that is about to start.
    pub(super) fn new(id: Option<UniqueId>) -> Self {
        let mut slots = lock();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.count += 1;
            slots.count - 1
        });
        drop(slots);
        let record = Self { slot, id };
        record.write(0);
        record
    }

    /// Notes that the worker has started as `pid`.
    pub(super) fn set_process(&self, pid: Pid) {
        self.write(pid.as_raw_nonzero().get());
    }

    /// Returns the worker's `UNIQUE_ID`.
    pub(super) fn id(&self) -> Option<UniqueId> {
        self.id
    }

    fn write(&self, pid: i32) {
        let mut bytes = [0; BYTES];
        let (process, id) = bytes.split_at_mut(size_of::<i32>());
        process.copy_from_slice(&pid.to_ne_bytes());
        if let Some(UniqueId(text)) = self.id {
            id.copy_from_slice(&text);
        }
        self.put(&bytes);
    }

    fn put(&self, bytes: &[u8; BYTES]) {
        if let Some(table) = TABLE.get() {
            // Fails only if the system has no memory. Then the guard does not know this worker.
            let _ = table.write_all_at(bytes, self.slot * BYTES as u64);
        }
    }
}

impl Drop for WorkerRecord {
    fn drop(&mut self) {
        self.put(&[0; BYTES]);
        lock().free.push(self.slot);
    }
}

/// Opens the table. Records from before are not in it.
#[cfg(target_os = "linux")]
pub(super) fn open() -> io::Result<()> {
    use rustix::fs::{MemfdFlags, memfd_create};

    let _ = TABLE.set(memfd_create("workers", MemfdFlags::CLOEXEC)?.into());
    Ok(())
}

/// Returns the table; `None` before [`open`].
#[cfg(target_os = "linux")]
pub(super) fn table() -> Option<&'static File> {
    TABLE.get()
}

/// Returns the process and the `UNIQUE_ID` of each worker. The process is `None` if it is being started.
#[cfg(target_os = "linux")]
pub(super) fn read() -> io::Result<Vec<(Option<Pid>, Option<UniqueId>)>> {
    let Some(table) = TABLE.get() else { return Ok(Vec::new()) };
    let length = usize::try_from(table.metadata()?.len()).unwrap_or_default();
    let mut bytes = vec![0; length - length % BYTES];
    table.read_exact_at(&mut bytes, 0)?;
    let record = |record: &[u8]| {
        let (process, id) = record.split_at(size_of::<i32>());
        let id = <[u8; UniqueId::BYTES]>::try_from(id).ok().filter(|id| id[0] != 0).map(UniqueId);
        (Pid::from_raw(i32::from_ne_bytes(process.try_into().unwrap_or_default())), id)
    };
    Ok(bytes.chunks_exact(BYTES).map(record).filter(|record| *record != (None, None)).collect())
}

fn lock() -> MutexGuard<'static, RecordSlots> {
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}
