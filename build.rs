//! Tells the linker what makes a start of the program cheaper: less to map, and less to relocate.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| env::var(key).is_ok_and(|set| set == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // The unwinder of GCC becomes a part of the program. Otherwise the loader maps a library for it.
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    if env::var("HOST") == env::var("TARGET") && libc_version().is_some_and(|version| version >= (2, 36)) {
        // Relocations in a thirtieth of their size. Loaders before that version refuse such a program.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Returns the version of this system's C library, if that is glibc.
fn libc_version() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = version.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
