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
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(hosts).unwrap();
    let [file, key_file] = [format!("{name}.pem"), format!("{name}-key.pem")].map(|file| folder.join(file));
    fs::write(&file, made.cert.pem()).unwrap();
    fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    Certificate { file, key_file, der: made.cert.der().clone() }
}
