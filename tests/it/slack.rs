//! `WSD_TEST_SLACK`: the upper bounds in time grow with it, and what wsd promises does not.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::harness::time::{deadline, scaled};
use crate::harness::{DEADLINE, SLACK, at_latest};

#[test]
fn upper_bounds_in_time_grow_with_a_variable() {
    const PROMISE: Duration = Duration::from_secs(10);
    if let Some(factor) = env::var_os("WSD_TEST_SLACKENED") {
        let factor: f64 = factor.to_str().unwrap().parse().unwrap();
        assert_eq!(at_latest(PROMISE), PROMISE + SLACK.mul_f64(factor));
        assert_eq!((scaled(SLACK), deadline()), (SLACK.mul_f64(factor), DEADLINE.mul_f64(factor)));
        return;
    }
    for (factor, is_one) in [("1", true), ("2.5", true), ("", false), ("x", false), ("-1", false), ("inf", false)] {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "slack::upper_bounds_in_time_grow_with_a_variable"]);
        again.env("WSD_TEST_SLACK", factor).env("WSD_TEST_SLACKENED", if is_one { factor } else { "1" });

        let is_taken = again.output().unwrap().status.success();

        assert_eq!(is_taken, is_one, "{factor:?}");
    }
}
