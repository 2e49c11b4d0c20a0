//! Tests that count what their process holds.

use super::programs;
use std::{env, process::Command};

/// Is set in the process that a test has to itself.
const ALONE: &str = "REMBG_GATEWAY_TEST_ALONE";

/// Whether this process is the test's own. If not, runs the test once more in one that is; it has to pass there.
pub fn is_alone(test: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let said = programs::output(&mut command, "");
    assert!(said.contains("1 passed"), "there is no test {test}: {said}");
    false
}
