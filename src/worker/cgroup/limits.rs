//! The limits of a control group.

use std::{fs, io, path::Path};

/// The time in which `cpu.max` counts, in microseconds. The kernel's default.
const PERIOD_MICROS: u64 = 100_000;

/// The limits of a group; without any, the group only ends with its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CgroupLimits {
    /// Bytes of memory, with the caches and the kernel's part.
    pub(crate) memory: Option<u64>,
    /// Processes and threads.
    pub(crate) processes: Option<u64>,
    /// Thousandths of a processor.
    pub(crate) cpu_millis: Option<u64>,
}

impl CgroupLimits {
    /// Returns the names of the controllers that the limits need.
    pub(super) fn controllers(&self) -> impl Iterator<Item = &'static str> {
        let Self { memory, processes, cpu_millis } = self;
        [("memory", memory), ("pids", processes), ("cpu", cpu_millis)]
            .into_iter()
            .filter_map(|(name, limit)| limit.is_some().then_some(name))
    }

    /// Writes them to the files of a group.
    pub(super) fn write(&self, group: &Path) -> io::Result<()> {
        let set = |file: &str, value: String| fs::write(group.join(file), value);
        if let Some(bytes) = self.memory {
            set("memory.max", bytes.to_string())?;
            // Without these files the kernel has no swap, or is too old to kill a group as a whole.
            let _ = set("memory.swap.max", "0".to_owned());
            let _ = set("memory.oom.group", "1".to_owned());
        }
        if let Some(count) = self.processes {
            set("pids.max", count.to_string())?;
        }
        if let Some(millis) = self.cpu_millis {
            set("cpu.max", format!("{} {PERIOD_MICROS}", millis * PERIOD_MICROS / 1000))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_the_kernel_takes_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let limits = CgroupLimits { memory: Some(64 << 20), processes: Some(20), cpu_millis: Some(1500) };

        limits.write(folder.path()).expect("it is written");

        let written = |file: &str| fs::read_to_string(folder.path().join(file)).expect("a file");
        assert_eq!(limits.controllers().collect::<Vec<_>>(), ["memory", "pids", "cpu"]);
        assert_eq!(["memory.max", "memory.swap.max", "memory.oom.group"].map(written), ["67108864", "0", "1"]);
        assert_eq!(["pids.max", "cpu.max"].map(written), ["20", "150000 100000"]);
    }
}
