//! The process as a whole: the part of its life that it is in, its configuration's last reload, and its certificate.

use super::gauges::ProcessGauges;
use crate::{
    domain::{readiness::Phase, time::UnixSeconds},
    trust::certificate::Certificate,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Notes about the process, from the parts that know of them to those that tell operators.
#[derive(Debug)]
pub struct Process(Mutex<ProcessGauges>);

impl Process {
    /// A process that is starting, with the configuration that was read now.
    #[must_use]
    pub fn starting(now: UnixSeconds) -> Self {
        Self(Mutex::new(ProcessGauges {
            phase: Phase::Starting,
            last_reload_successful: true,
            last_reload_success: now,
            certificate: None,
        }))
    }

    /// Notes the part of its life that the process enters.
    pub fn enters(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Notes that a new configuration is in force since now.
    pub fn reloaded(&self, now: UnixSeconds) {
        let mut state = self.state();
        (state.last_reload_successful, state.last_reload_success) = (true, now);
    }

    /// Notes that a reload was refused.
    pub fn reload_refused(&self) {
        self.state().last_reload_successful = false;
    }

    /// Notes the certificate that new connections are shown; `None` if its dates cannot be read.
    pub fn shows(&self, certificate: Option<Certificate>) {
        self.state().certificate = certificate;
    }

    /// All of it, as it is now.
    #[must_use]
    pub fn gauges(&self) -> ProcessGauges {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, ProcessGauges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
