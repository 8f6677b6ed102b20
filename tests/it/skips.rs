//! Tests that a machine cannot run: they are counted, told of at the end, and fail in CI.

use std::env;
use std::process::{Command, Output};

use crate::harness::skip::skip;

/// Runs this test alone, in a process of its own, where it is skipped.
fn run_skipped(ci: &str) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "skips::a_skipped_test_is_told_at_the_end_and_fails_in_ci"]);
    command.env("WSD_TEST_SKIPPED", "").env("CI", ci).output().unwrap()
}

#[test]
fn a_skipped_test_is_told_at_the_end_and_fails_in_ci() {
    if env::var_os("WSD_TEST_SKIPPED").is_some() {
        return skip("a unicorn");
    }

    let skipped = run_skipped("");
    let told = String::from_utf8(skipped.stderr).unwrap();
    assert!(skipped.status.success());
    assert_eq!(told, "1 test skipped, in whole or in part: this machine lacks a unicorn (1)\n\n");

    let failed = run_skipped("true");
    assert!(!failed.status.success());
    assert!(String::from_utf8(failed.stdout).unwrap().contains("CI needs a unicorn"));
}
