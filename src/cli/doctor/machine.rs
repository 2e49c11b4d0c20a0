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
            let says = format!("The free space of {} cannot be read: {error}.", there.display());
            Finding::fail("store's disk", says, "Let the gateway's user read the folder.")
        }
        Ok(free) if free < SCARCE => {
            let says = format!("Only {} are free at {}.", rounded(free), there.display());
            Finding::bad(free < NONE, "store's disk", says, "Make room before it is full: then nobody is served.")
        }
        Ok(free) => Finding::ok("store's disk", format!("{} are free.", rounded(free))),
    }
}

fn room_for_bodies(budget: Bytes) -> Finding {
    let folder = env::temp_dir();
    let shown = folder.display();
    match free(&folder) {
        Err(error) => {
            let says = format!("The free space of {shown} cannot be read: {error}.");
            Finding::fail("bodies' disk", says, "Set TMPDIR to a folder that the gateway's user can read.")
        }
        Ok(free) if free < budget => {
            let says = format!("{shown} has {} free, and limits.spool_budget is {budget}.", rounded(free));
            Finding::warn("bodies' disk", says, "Lower limits.spool_budget, or set TMPDIR to a folder with more room.")
        }
        Ok(free) => Finding::ok("bodies' disk", format!("{shown} has {} free.", rounded(free))),
    }
}

fn port(subject: &'static str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(subject, format!("{address} is free.")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let cure = "Nothing, if this gateway is running; otherwise stop the other program, or use another port.";
            Finding::warn(subject, format!("{address} is in use."), cure)
        }
        Err(error) => {
            let says = format!("{address} cannot be listened on: {error}.");
            Finding::fail(
                subject,
                says,
                "Write an address of this machine, and a port that the gateway's user may open.",
            )
        }
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
