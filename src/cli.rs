//! The command line: the operator's commands and their reports.
//!
//! Each command is a file. It returns a `Report`, which is printed as text or, with `--json`, as one JSON value.

mod audit;
mod check;
mod credits;
mod session;
mod settings;
mod doctor;
mod failure;
mod finding;
mod input;
mod key;
mod local;
mod print;
mod ready;
mod report;
mod serve;
mod store;
mod stripe;
mod table;
#[cfg(test)]
mod tests;
mod usage;
mod user;

use crate::config::{Config, ConfigErrors};
use clap::{Parser, Subcommand};
use failure::{Failure, NO_STORE_HINT};
use report::Report;
use session::Session;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    process::ExitCode,
};

/// Bad configuration or arguments: `EX_USAGE`.
const USAGE: u8 = 64;

/// The parsed command line.
#[derive(Debug, Parser)]
#[command(
    name = "rembg-gateway",
    version,
    about = "A gateway in front of a background-removal backend: keys, limits, exact metering",
    after_help = "Every command except store migrate can be used while the gateway runs. Only serve, user add and store migrate (its\n\
                  target) make a store; the others fail if there is none.\n\
                  Exit codes: 0 done, 1 failed, 64 wrong arguments or configuration."
)]
pub struct Arguments {
    /// Settings in TOML; without it, the defaults and the environment apply
    #[arg(long, global = true, value_name = "FILE", env = "REMBG_GATEWAY_CONFIG", display_order = 100)]
    config: Option<PathBuf>,
    /// Print one JSON value and nothing else
    #[arg(long, global = true, display_order = 101)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve,
    /// Report every mistake in the configuration, what is wrong with the files that it names, and the settings in effect
    /// (secrets as ***); exits 1 if the gateway would not start
    Check,
    /// Show every setting with its meaning, its default, its value in effect and where that was written (secrets as ***)
    Config,
    /// Make and change accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make, import, list and revoke API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Add prepaid credits, or take some back
    #[command(subcommand)]
    Credits(credits::CreditsCommand),
    /// List and forget parked events of Stripe; move subscriptions and payments
    #[command(subcommand)]
    Stripe(stripe::StripeCommand),
    /// Move everything to another store, or back up this one
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Show what accounts have used this month (UTC) and have left
    Usage(usage::UsageCommand),
    /// Compare the counters with the ledger; exits 1 if any differs
    Audit(audit::AuditCommand),
    /// Look for problems that keep the gateway from working; exits 1 if there are any
    Doctor,
    /// Ask the gateway on this machine whether it is ready; exits 1 if it is not
    Ready,
}

/// Reads the command line. The error is the exit code, after the help, the version or an error has been printed.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    Arguments::try_parse_from(arguments).map_err(|error| {
        let complaint = error.use_stderr();
        // If the terminal is gone, nobody can read it.
        let _ = error.print();
        if complaint { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
    })
}

/// Runs the command and prints its report.
#[must_use]
pub fn run(arguments: Arguments) -> Pin<Box<dyn Future<Output = ExitCode>>> {
    // Boxed, as the runtime would contain the whole program three times over, once for each of its kinds of threads.
    Box::pin(outcome(arguments))
}

async fn outcome(arguments: Arguments) -> ExitCode {
    let json = arguments.json;
    let outcome = match load(arguments.config.as_deref()) {
        Ok(config) => Box::pin(perform(arguments, config)).await,
        Err(errors) => Err(errors.into()),
    };
    match outcome {
        Ok(report) => {
            print::report(&report, json);
            if report.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => fail(&failure),
    }
}

/// Reports that the async runtime cannot start.
#[must_use]
pub fn cannot_start(error: &io::Error) -> ExitCode {
    fail(&Failure::Runtime(error.to_string()))
}

/// Reads the configuration from the file, if there is one, and this process's environment.
fn load(file: Option<&Path>) -> Result<Config, ConfigErrors> {
    let variables = std::env::vars_os();
    let variables = variables.map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()));
    Config::load(file, variables)
}

async fn perform(arguments: Arguments, config: Config) -> Result<Report, Failure> {
    let session = Session::new(config);
    match arguments.command {
        Command::Serve => Box::pin(serve::run(session, arguments.config)).await,
        Command::Check => check::run(&session),
        Command::Config => settings::run(&session),
        Command::User(command) => command.run(&session).await,
        Command::Key(command) => command.run(&session, &mut io::stdin()).await,
        Command::Credits(command) => command.run(&session).await,
        Command::Stripe(command) => command.run(&session).await,
        Command::Store(command) => command.run(&session).await,
        Command::Usage(command) => command.run(&session).await,
        Command::Audit(command) => command.run(&session).await,
        Command::Doctor => doctor::run(&session).await,
        Command::Ready => ready::run(&session).await,
    }
}

fn fail(failure: &Failure) -> ExitCode {
    print::failure(failure);
    ExitCode::from(failure.exit_code())
}
