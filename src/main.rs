//! The binary: parse, run, exit code.

use rembg_gateway::cli;
use std::process::ExitCode;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => cli::cannot_start(&error),
    }
}
