//! The life of a gateway's process, by the signals that it gets: SIGHUP reloads the configuration, SIGTERM and Ctrl-C
//! (SIGINT) end it.

use super::{App, StartError};
use crate::{
    clock::Clock,
    config::{Config, ConfigErrors},
    telemetry::{flood, panics, start_log},
};
use std::{io, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tracing::{info, warn};

/// Reads the configuration again, from the file and the environment that it was read from. It may block on the disk.
pub type ReadAgain = Box<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Serves until the process is told to stop (SIGTERM, SIGINT), then lets requests in flight end. Without a file, there is
/// nothing to read again.
pub async fn run(config: Config, read_again: Option<ReadAgain>) -> Result<(), StartError> {
    start_log(&config.log);
    panics::watch();
    tokio::spawn(panics::keep_alive(flood::keep_telling));
    let mut signals = Signals::catch()?;
    for warning in config.warnings() {
        warn!("{warning}");
    }
    let app = App::start(&config, Clock::Own).await?;
    info!(public = %app.public, plain = app.plain.map(tracing::field::display), admin = %app.admin, store = %config.store.shown(), version = env!("CARGO_PKG_VERSION"), "serving");
    let stop = signals.stop_after_reloads(&app, read_again).await;
    app.drain();
    let delay = match stop {
        // Behind a load balancer, callers come until it has seen that the gateway is not ready.
        Stop::Supervisor => Duration::from_secs(config.listen.drain_delay_s),
        // A person at a terminal waits.
        Stop::Person => Duration::ZERO,
    };
    if !delay.is_zero() {
        info!(seconds = delay.as_secs(), "stopping: not ready any more, and serving until load balancers know it");
        tokio::select! {
            () = sleep(delay) => {}
            _ = signals.stop() => info!("told to stop again: the drain delay is over"),
        }
    }
    info!("stopping: no new connections are accepted, requests in flight end first");
    tokio::select! {
        () = app.stop() => info!("stopped"),
        _ = signals.stop() => warn!("told to stop again: requests in flight are cut off"),
    }
    flood::tell();
    Ok(())
}

/// Who wants the process to stop.
enum Stop {
    /// SIGTERM.
    Supervisor,
    /// Ctrl-C.
    Person,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on these signals do not end the process.
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is told to stop.
    async fn stop(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Supervisor,
            _ = self.interrupt.recv() => Stop::Person,
        }
    }

    /// The same, and reloads the configuration at each SIGHUP until then.
    async fn stop_after_reloads(&mut self, app: &App, read_again: Option<ReadAgain>) -> Stop {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Stop::Supervisor,
                _ = self.interrupt.recv() => return Stop::Person,
                _ = self.hangup.recv() => {
                    if let Some(read) = &read_again {
                        // The file is short. What went wrong is logged there.
                        drop(app.reload(read()).await);
                    } else {
                        info!("there is no configuration file, so nothing is reloaded");
                    }
                }
            }
        }
    }
}
