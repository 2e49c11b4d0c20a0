//! Checks the machine: the free space on its disks, and the ports to listen on.

use super::Finding;
use crate::config::{Bytes, Config};
use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

/// With less free space than this, the store soon runs out of it.
const SCARCE: Bytes = Bytes(1 << 30);

/// With less free space than this, the store's next checkpoint may not fit.
const NONE: Bytes = Bytes(64 << 20);

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let database = config.store.sqlite_path().and_then(Path::parent);
    let mut findings: Vec<_> = database.map(room_for_the_store).into_iter().collect();
    findings.push(room_for_bodies(config.limits.spool_budget));
    findings.push(port("public port", config.listen.public));
    findings.push(port("admin port", config.listen.admin));
    findings
}

fn room_for_the_store(folder: &Path) -> Finding {
    // A folder that does not exist yet will be on the disk of its nearest existing parent.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    match free(there) {
        Err(error) => {
            Finding::fail("store's disk", format!("The free space of {} cannot be read: {error}.", there.display()))
        }
        Ok(free) if free < NONE => Finding::fail("store's disk", format!("Only {} are free.", rounded(free))),
        Ok(free) if free < SCARCE => Finding::warn("store's disk", format!("Only {} are free.", rounded(free))),
        Ok(free) => Finding::ok("store's disk", format!("{} are free.", rounded(free))),
    }
}

fn room_for_bodies(budget: Bytes) -> Finding {
    let folder = env::temp_dir();
    let shown = folder.display();
    match free(&folder) {
        Err(error) => Finding::fail("bodies' disk", format!("The free space of {shown} cannot be read: {error}.")),
        Ok(free) if free < budget => {
            let says =
                format!("{shown} has {} free, limits.spool_budget is {budget}; lower it or set TMPDIR.", rounded(free));
            Finding::warn("bodies' disk", says)
        }
        Ok(free) => Finding::ok("bodies' disk", format!("{shown} has {} free.", rounded(free))),
    }
}

fn port(subject: &'static str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(subject, format!("{address} is free.")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Finding::warn(subject, format!("{address} is in use: by this gateway, if it is running."))
        }
        Err(error) => Finding::fail(subject, format!("{address} cannot be listened on: {error}.")),
    }
}

fn free(folder: &Path) -> io::Result<Bytes> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(Bytes(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

/// In whole mebibytes, which is exact enough.
fn rounded(bytes: Bytes) -> String {
    format!("{} MiB", bytes.0 >> 20)
}
