//! The log: to standard error, for people or for machines.

use super::{
    flood,
    format::{Form, Lines},
};
use crate::{
    config::{LogConfig, LogFormat, LogLevel, ShownAddress},
    domain::network::{truncated, unmapped},
};
use std::{
    io::{IsTerminal as _, stderr},
    net::IpAddr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    reload,
};

/// The bits of an address that are shown of a network.
const IPV4_NETWORK_BITS: u8 = 24;
const IPV6_NETWORK_BITS: u8 = 64;

static JSON: AtomicBool = AtomicBool::new(false);
static SHOWN: AtomicU8 = AtomicU8::new(NETWORK);
static LEVELS: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

const NOTHING: u8 = 0;
const NETWORK: u8 = 1;
const FULL: u8 = 2;

/// Starts logging for this process; later calls change nothing.
pub fn start_log(config: &LogConfig) {
    let (levels, handle) = reload::Layer::new(levels(config.level));
    if LEVELS.set(handle).is_err() {
        return;
    }
    change_log(config);
    let otherwise = if stderr().is_terminal() { Form::Coloured } else { Form::Text };
    let subscriber = tracing_subscriber::registry().with(levels).with(Lines { json: &JSON, otherwise });
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// From now on, logs as this configuration says. Without a log that was started, nothing is written.
pub fn change_log(config: &LogConfig) {
    JSON.store(config.format == LogFormat::Json, Ordering::Relaxed);
    let shown = match config.client_address {
        ShownAddress::None => NOTHING,
        ShownAddress::Network => NETWORK,
        ShownAddress::Full => FULL,
    };
    SHOWN.store(shown, Ordering::Relaxed);
    flood::set_most(config.lines_per_cause as usize);
    // It fails only while the subscriber is being dropped, which never happens.
    let _ = LEVELS.get().map(|handle| handle.reload(levels(config.level)));
}

/// As much of a client's address as the log may show.
#[must_use]
pub fn shown_client(address: IpAddr) -> Option<String> {
    let address = unmapped(address);
    let bits = if address.is_ipv4() { IPV4_NETWORK_BITS } else { IPV6_NETWORK_BITS };
    match SHOWN.load(Ordering::Relaxed) {
        FULL => Some(address.to_string()),
        NETWORK => Some(format!("{}/{bits}", truncated(address, bits))),
        _ => None,
    }
}

/// Our own lines from this level, and those of libraries from WARN.
fn levels(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("rembg_gateway", level)
}
