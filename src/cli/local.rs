//! What can be seen on this machine without asking the store or the network: `check` and `doctor` look at it.

mod certificates;
mod files;
mod memory;
mod model;

use super::{Session, finding::Finding};

pub(super) fn look(session: &Session) -> Vec<Finding> {
    let config = &session.config;
    let mut findings = certificates::look(config, session.now());
    findings.extend(files::look(config));
    findings.extend(memory::look(config));
    findings.extend(model::look(&config.backend));
    findings
}
