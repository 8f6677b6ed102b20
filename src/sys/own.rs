//! Facts of this process: its open descriptors, and the places of its code. This file has no `unsafe` code.
#![forbid(unsafe_code)]

use std::fs;
#[cfg(target_os = "linux")]
use std::{fs::File, io::Read as _};

/// Returns the numbers above 2 of the descriptors that are open, and maybe of some that are not.
pub(super) fn open_descriptors() -> impl Iterator<Item = i32> {
    let named: Vec<i32> = match fs::read_dir("/dev/fd") {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect(),
        Err(_) => (0..1 << 16).collect(),
    };
    named.into_iter().filter(|&descriptor| descriptor > 2)
}

/// Returns the address and the bytes of each mapping of code from a file.
#[cfg(target_os = "linux")]
pub(super) fn code_ranges() -> Vec<(usize, usize)> {
    // The file tells no size: without room, it would take a dozen reads.
    let mut maps = String::with_capacity(8 << 10);
    let _ = File::open("/proc/self/maps").and_then(|mut file| file.read_to_string(&mut maps));
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some((number(start)?, number(end)? - number(start)?))
    };
    maps.lines().filter(|line| line.contains(" r-xp ") && line.contains('/')).filter_map(range).collect()
}
