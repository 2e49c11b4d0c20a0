//! The authorities whose certificates identify the servers that we call, and what a certificate says.

pub mod certificate;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the trusted certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The machine's own root certificates cannot be read.
    #[error("the machine's root certificates: {0}")]
    Machine(#[source] io::Error),
    /// The configured file cannot be read.
    #[error("{setting} {}: {why}", path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Its path.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The library supports no protocol version that we allow.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// A file of authorities in PEM.
#[derive(Clone, Copy, Debug)]
pub struct CaFile<'a> {
    /// The setting that names it, for errors.
    pub setting: &'static str,
    /// Its path.
    pub path: &'a Path,
}

/// A configuration for TLS 1.2 and 1.3 that trusts the authorities in the file, or else the machine's.
pub fn client_config(ca_file: Option<CaFile<'_>>) -> Result<ClientConfig, TrustError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match ca_file {
        Some(file) => builder.with_root_certificates(authorities(file)?),
        None => hyper_rustls::ConfigBuilderExt::with_native_roots(builder).map_err(TrustError::Machine)?,
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(CaFile { setting, path }: CaFile<'_>) -> Result<RootCertStore, TrustError> {
    let wrong = |why: String| TrustError::File { setting, path: path.into(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("holds no certificate".into())) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_without_certificates_is_a_mistake_and_says_which() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"no certificate").expect("written");
        for path in [file.path(), Path::new("/no/such/file")] {
            let file = CaFile { setting: "backend.ca_file", path };
            let error = client_config(Some(file)).expect_err("nobody to trust").to_string();
            assert!(error.starts_with("backend.ca_file ") && error.contains(path.to_str().expect("text")), "{error}");
        }
    }
}
