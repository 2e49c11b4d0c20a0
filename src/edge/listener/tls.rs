//! TLS: the certificate is loaded from files, and again when they change.

use crate::{telemetry::Process, trust::certificate::Certificate};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
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
use tokio::{net::TcpStream, sync::Mutex, time::interval};
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
    in_force: Arc<InForce>,
    process: Arc<Process>,
    /// Locked while a pair is put in force, so that none replaces a newer one.
    watched: Mutex<Watched>,
}

/// The files that are watched, and their contents as they were last read. `None` after they could not be read.
struct Watched {
    files: Files,
    seen: Option<Contents>,
}

impl Tls {
    /// Shows this pair to all clients, and notes its dates for operators.
    pub fn new(pair: Pair, process: Arc<Process>) -> Result<Self, CertificateError> {
        let Pair { files, contents, certified, certificate } = pair;
        let in_force = Arc::new(InForce(ArcSwap::from_pointee(certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&in_force) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        process.shows(certificate);
        let watched = Mutex::new(Watched { files, seen: Some(contents) });
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), in_force, process, watched })
    }

    /// Makes the handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Shows this pair to clients that connect from now on, and watches its files. Open connections stay as they are.
    pub async fn replace(&self, pair: Pair) {
        self.put(&mut *self.watched.lock().await, pair);
    }

    fn put(&self, watched: &mut Watched, pair: Pair) {
        let Pair { files, contents, certified, certificate } = pair;
        if watched.seen.as_ref() != Some(&contents) {
            info!(file = %files.certificate.display(), "a new certificate is in force");
        }
        self.in_force.0.store(Arc::new(certified));
        self.process.shows(certificate);
        *watched = Watched { files, seen: Some(contents) };
    }

    /// Reloads the files whenever they have changed, until `stop`. Contents that are not a pair, such as half of a renewal,
    /// change nothing and are logged once.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let mut watched = self.watched.lock().await;
            let contents = match watched.files.read().await {
                Ok(contents) if watched.seen.as_ref() != Some(&contents) => contents,
                Ok(_) => continue,
                Err(error) => {
                    if watched.seen.take().is_some() {
                        warn!(%error, "the certificate in force stays");
                    }
                    continue;
                }
            };
            match Pair::of(watched.files.clone(), contents.clone()) {
                Ok(pair) => self.put(&mut watched, pair),
                Err(error) => {
                    warn!(%error, "the certificate in force stays");
                    watched.seen = Some(contents);
                }
            }
        }
    }
}

/// A certificate chain and the private key that belongs to it, with their files.
pub struct Pair {
    files: Files,
    contents: Contents,
    certified: CertifiedKey,
    /// The server's own certificate; `None` if its dates cannot be read.
    certificate: Option<Certificate>,
}

impl Pair {
    /// Reads both files, which are PEM, and checks that they belong together.
    pub async fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let contents = files.read().await?;
        Self::of(files, contents)
    }

    fn of(files: Files, contents: Contents) -> Result<Self, CertificateError> {
        let nothing = |file: &Path, what| {
            let file = file.to_owned();
            move |error| CertificateError::Nothing(file, what, error)
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .and_then(|chain: Vec<_>| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(nothing(&files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(nothing(&files.key, "private key"))?;
        let certificate = chain.first().and_then(|own| Certificate::read(own));
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        Ok(Self { files, contents, certified, certificate })
    }
}

#[derive(Clone)]
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

#[derive(Debug)]
struct InForce(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
