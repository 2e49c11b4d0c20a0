//! The certificate that callers see, and the authorities that we trust.

use crate::{
    cli::{finding::Finding, table::date},
    config::Config,
    domain::time::UnixSeconds,
    trust::certificate::{Certificate, belong_together},
};
use hyper::Uri;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const SUBJECT: &str = "certificate";

/// Seconds of a day.
const DAY: i64 = 86_400;

pub(super) fn look(config: &Config, now: UnixSeconds) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((certificate, key)) = config.listen.tls_files() {
        findings.extend(pair(certificate, key));
        findings.extend(chain(certificate, now, public_host(config).as_deref()));
    }
    let authorities = [
        ("backend.ca_file", &config.backend.ca_file),
        ("store.ca_file", &config.store.ca_file),
        ("dialects.url.ca_file", &config.dialects.url.ca_file),
    ];
    let named = authorities.into_iter().filter_map(|(setting, file)| Some((setting, file.as_deref()?)));
    findings.extend(named.filter_map(|(setting, file)| authority(setting, file, now)));
    findings
}

/// The host under which callers are told to reach this gateway.
fn public_host(config: &Config) -> Option<String> {
    config.pages.public_url.as_deref()?.parse::<Uri>().ok()?.host().map(str::to_owned)
}

/// Whether the two files can be read and belong together. Nothing if they do.
fn pair(certificate: &Path, key: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut read = |setting, file: &Path| {
        let unreadable = |error| {
            let says = format!("{setting} {} cannot be read: {error}.", file.display());
            findings.push(Finding::fail(SUBJECT, says, "Name the right file, or let the gateway's user read it."));
        };
        fs::read(file).map_err(unreadable).ok()
    };
    let (Some(chain), Some(secret)) = (read("listen.tls_cert", certificate), read("listen.tls_key", key)) else {
        return findings;
    };
    if let Err(error) = belong_together(&chain, &secret) {
        let says = format!("{} and {} are no pair: {error}.", certificate.display(), key.display());
        let cure = "Put the server's own certificate first in its file, and name the private key that it was made for.";
        findings.push(Finding::fail(SUBJECT, says, cure));
    }
    if fs::metadata(key).is_ok_and(|file| file.permissions().mode() & 0o004 != 0) {
        let says = format!("The private key {} can be read by every user of this machine.", key.display());
        findings.push(Finding::warn(SUBJECT, says, format!("chmod o-r {}", key.display())));
    }
    findings
}

fn chain(file: &Path, now: UnixSeconds, host: Option<&str>) -> Vec<Finding> {
    // A file that cannot be read has been reported as one half of the pair.
    let Ok(text) = fs::read(file) else { return Vec::new() };
    let shown = file.display().to_string();
    match Certificate::chain(&text) {
        Ok(chain) => judge(&chain, &shown, now, host),
        Err(fault) => {
            vec![Finding::fail(
                SUBJECT,
                format!("{shown}: {fault}."),
                "Put the chain into it in PEM, the server's own first.",
            )]
        }
    }
}

fn judge(chain: &[Certificate], file: &str, now: UnixSeconds, host: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (above, (one, issuer)) in (2..).zip(chain.iter().zip(chain.iter().skip(1))) {
        if !one.names_as_issuer(issuer) {
            let below = above - 1;
            let says = format!(
                "In {file}, certificate {above} has not issued certificate {below}, so some clients refuse it."
            );
            let cure =
                "Put the server's own certificate first and its issuer after it, then the issuer's, without gaps.";
            findings.push(Finding::warn(SUBJECT, says, cure));
        }
    }
    for (number, certificate) in (1..).zip(chain) {
        findings.extend(dates(certificate, file, number, now));
    }
    let Some(own) = chain.first() else { return findings };
    let names = own.names.join(", ");
    if own.names.is_empty() {
        let says = format!("{file} is for no name: clients have no host to compare it with, and refuse it.");
        findings.push(Finding::fail(
            SUBJECT,
            says,
            "Have it made with the gateway's host as a subject alternative name.",
        ));
    } else if let Some(host) = host.filter(|host| !own.names.iter().any(|name| is_for(name, host))) {
        let says = format!("{file} is for {names}, and pages.public_url names {host}.");
        findings.push(Finding::warn(SUBJECT, says, "Have it made for that host too, or correct pages.public_url."));
    }
    if findings.is_empty() {
        let says = format!("{file} is for {names}, valid until {}.", date(own.not_after));
        findings.push(Finding::ok(SUBJECT, says));
    }
    findings
}

fn dates(certificate: &Certificate, file: &str, number: usize, now: UnixSeconds) -> Option<Finding> {
    let which = if number == 1 { file.to_owned() } else { format!("Certificate {number} of {file}") };
    let renew = "Renew it. The new file is used within seconds, without a restart.";
    if now < certificate.not_before {
        let says = format!("{which} is not valid before {}.", date(certificate.not_before));
        return Some(Finding::fail(
            SUBJECT,
            says,
            "Is this machine's clock right? Otherwise use the old one until then.",
        ));
    }
    if now > certificate.not_after {
        let says = format!("{which} has expired on {}, so clients refuse it.", date(certificate.not_after));
        return Some(Finding::fail(SUBJECT, says, renew));
    }
    let days = (certificate.not_after.0 - now.0) / DAY;
    let says = format!(
        "{which} ends on {}, in {days} days: less than a quarter of its lifetime is left.",
        date(certificate.not_after)
    );
    // The authorities above it are renewed by others, who give them out with the next one.
    (number == 1 && certificate.is_near_its_end(now))
        .then(|| Finding::warn(SUBJECT, says, format!("{renew} Is the renewal still running?")))
}

/// Whether a name of a certificate, perhaps with `*` as its first part, is this host's.
fn is_for(name: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// Authorities that can no longer vouch for anybody. A file that cannot be read is a mistake that has been reported.
fn authority(setting: &'static str, file: &Path, now: UnixSeconds) -> Option<Finding> {
    let shown = file.display();
    let all = match Certificate::chain(&fs::read(file).ok()?) {
        Ok(all) => all,
        Err(fault) => {
            let says = format!("{setting} {shown}: {fault}.");
            return Some(Finding::fail(SUBJECT, says, "Put the authorities' certificates into it, in PEM."));
        }
    };
    let ended = all.iter().filter(|one| !one.is_valid_at(now)).count();
    let says = format!("{ended} of the {} authorities in {setting} {shown} are not valid today.", all.len());
    (ended > 0).then(|| Finding::warn(SUBJECT, says, "Put the authorities' current certificates into it."))
}

#[cfg(test)]
mod tests;
