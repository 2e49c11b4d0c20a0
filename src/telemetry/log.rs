//! The log: to standard error, for people or for machines.

use crate::config::{LogConfig, LogFormat, LogLevel};
use std::sync::OnceLock;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    reload,
};

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

static LEVELS: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();
static LINES: OnceLock<reload::Handle<Lines, Registry>> = OnceLock::new();

/// Starts logging for this process; later calls change nothing.
pub fn start_log(config: &LogConfig) {
    let (levels, of_levels) = reload::Layer::new(levels(config));
    let (lines, of_lines) = reload::Layer::new(lines(config));
    if LEVELS.set(of_levels).is_ok() && LINES.set(of_lines).is_ok() {
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(levels));
        drop(tracing::subscriber::set_global_default(subscriber));
    }
}

/// From now on, logs as this configuration says. Without a log that was started, nothing is written.
pub fn change_log(config: &LogConfig) {
    // These fail only while the subscriber is being dropped, which never happens.
    let _ = LEVELS.get().map(|handle| handle.reload(levels(config)));
    let _ = LINES.get().map(|handle| handle.reload(lines(config)));
}

fn lines(config: &LogConfig) -> Lines {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    match config.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Our own lines from this level, and those of libraries from WARN.
fn levels(config: &LogConfig) -> Targets {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("rembg_gateway", level)
}
