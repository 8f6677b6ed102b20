//! Tells the linker what makes a start of the program cheaper: less to map.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| env::var(key).is_ok_and(|set| set == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // The unwinder of GCC becomes a part of the program. Otherwise the loader maps a library for it.
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
}
