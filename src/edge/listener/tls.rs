//! TLS: the certificate is loaded from files, and again when they change.

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, time::interval};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the files are read. They are small.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// A file is not PEM, or does not contain the expected item.
    #[error("there is no {1} in {0}: {2}")]
    Nothing(PathBuf, &'static str, pem::Error),
    /// The two do not belong together, or are of an unknown kind.
    #[error("certificate and key are of no use together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate in use, with its key.
pub struct Tls {
    acceptor: TlsAcceptor,
    files: Files,
    loaded: Contents,
    in_force: Arc<InForce>,
}

impl Tls {
    /// Reads both files, which are PEM, and checks that they belong together.
    pub async fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let loaded = files.read().await?;
        let pair = loaded.pair(&files, &provider)?;
        let in_force = Arc::new(InForce(ArcSwap::from_pointee(pair)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&in_force) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), files, loaded, in_force })
    }

    /// Makes the handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Reloads the files whenever they have changed, until `stop`. Contents that are not a pair, such as half of a renewal,
    /// change nothing and are logged once.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let provider = aws_lc_rs::default_provider();
        let mut seen = Some(self.loaded.clone());
        let mut look = interval(LOOK_EVERY);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let contents = match self.files.read().await {
                Ok(contents) if seen.as_ref() != Some(&contents) => contents,
                Ok(_) => continue,
                Err(error) => {
                    if seen.take().is_some() {
                        warn!(%error, "the certificate in force stays");
                    }
                    continue;
                }
            };
            match contents.pair(&self.files, &provider) {
                Ok(pair) => {
                    self.in_force.0.store(Arc::new(pair));
                    info!(file = %self.files.certificate.display(), "a new certificate is in force");
                }
                Err(error) => warn!(%error, "the certificate in force stays"),
            }
            seen = Some(contents);
        }
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    async fn read(&self) -> Result<Contents, CertificateError> {
        let read = async |path: &PathBuf| {
            tokio::fs::read(path).await.map_err(|error| CertificateError::Unreadable(path.clone(), error))
        };
        Ok(Contents { certificate: read(&self.certificate).await?, key: read(&self.key).await? })
    }
}

/// The contents of the files. They are never printed, because the key is secret.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn pair(&self, files: &Files, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        let nothing = |file: &Path, what| {
            let file = file.to_owned();
            move |error| CertificateError::Nothing(file, what, error)
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .and_then(|chain: Vec<_>| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(nothing(&files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(nothing(&files.key, "private key"))?;
        Ok(CertifiedKey::from_der(chain, key, provider)?)
    }
}

#[derive(Debug)]
struct InForce(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
