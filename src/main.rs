//! The binary: parse, run, exit code.

use rembg_gateway::cli;
use std::process::ExitCode;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // Connections have workers of their own, as many as the configuration says.
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => cli::cannot_start(&error),
    }
}
