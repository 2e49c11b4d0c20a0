//! Certificates that are their own authority.

use rustls::pki_types::CertificateDer;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A certificate in a PEM file, and its private key in another.
pub struct Certificate {
    pub file: PathBuf,
    pub key_file: PathBuf,
    pub der: CertificateDer<'static>,
}

/// A fresh one for these names or addresses, in `NAME.pem` and `NAME-key.pem`.
pub fn certify(folder: &Path, name: &str, hosts: &[&str]) -> Certificate {
    certify_but(folder, name, hosts, |_| {})
}

/// The same from the first day on until the second: year, month, day.
pub fn certify_between(folder: &Path, name: &str, hosts: &[&str], days: [(i32, u8, u8); 2]) -> Certificate {
    let [from, until] = days.map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
    certify_but(folder, name, hosts, |params| (params.not_before, params.not_after) = (from, until))
}

fn certify_but(
    folder: &Path,
    name: &str,
    hosts: &[&str],
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Certificate {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(hosts).unwrap();
    change(&mut params);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let [file, key_file] = [format!("{name}.pem"), format!("{name}-key.pem")].map(|file| folder.join(file));
    fs::write(&file, made.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    Certificate { file, key_file, der: made.der().clone() }
}
