//! TLS on the public listener.

use crate::{rawsocket::Raw, support::certificate, world::World};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rembg_gateway::config::Config;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A new certificate in the two files.
fn certify(folder: &Path) -> CertificateDer<'static> {
    certificate::certify(folder, "cert", &["api.rembg.com"]).der
}

async fn secured(folder: &Path, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.listen.tls_cert = Some(folder.join("cert.pem"));
        config.listen.tls_key = Some(folder.join("cert-key.pem"));
        config.listen.plain = Some(([127, 0, 0, 1], 0).into());
        change(config);
    })
    .await
}

pub(crate) async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("api.rembg.com").unwrap(), stream).await
}

#[tokio::test]
async fn both_versions_of_tls_carry_both_versions_of_http() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let world = secured(folder.path(), |_| {}).await;
    for version in [&TLS12, &TLS13] {
        for alpn in [&b"h2"[..], b"http/1.1"] {
            let stream = connect(world.app.public, &certificate, version, alpn).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
            let request = hyper::Request::get("https://api.rembg.com/healthz").header("host", "api.rembg.com");
            let request = request.body(String::new()).unwrap();
            let answer = if alpn == b"h2" {
                let (mut client, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                client.send_request(request).await.unwrap()
            } else {
                let (mut client, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                client.send_request(request).await.unwrap()
            };
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok\n");
        }
    }
    let mut plain = Raw::connect(world.app.plain.unwrap()).await;
    plain.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(plain.answer().await.1, "ok\n", "and there is one without TLS beside it");
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let old = certify(folder.path());
    let world = secured(folder.path(), |_| {}).await;
    let offers = async |certificate: &CertificateDer<'static>| {
        connect(world.app.public, certificate, &TLS13, b"h2").await.is_ok()
    };
    assert!(offers(&old).await);
    let new = certify(folder.path());
    let taken_up = async |certificate: &CertificateDer<'static>| {
        for _ in 0..200 {
            if offers(certificate).await {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    assert!(taken_up(&new).await);
    assert!(!offers(&old).await);

    // First comes a key that belongs to another certificate, then a matching pair: if the first had been taken, `new`
    // would not have served until the second came.
    let next = {
        let other = tempfile::tempdir().unwrap();
        let next = certify(other.path());
        fs::copy(other.path().join("cert.pem"), folder.path().join("cert.pem")).unwrap();
        for _ in 0..60 {
            assert!(offers(&new).await, "the old pair stays");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        fs::copy(other.path().join("cert-key.pem"), folder.path().join("cert-key.pem")).unwrap();
        next
    };
    assert!(taken_up(&next).await);
}

#[tokio::test]
async fn who_never_ends_the_handshake_is_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let world = secured(folder.path(), |config| config.listen.head_timeout_s = 1).await;
    for start in ["", "\x16\x03\x01", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(start).await;
        let said = raw.rest().await;
        assert!(!said.contains("HTTP/"), "{said}");
    }
}
