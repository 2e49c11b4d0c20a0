//! https, to a store with a certificate of the operator's own authority.

use super::*;
use std::io::Write as _;
use tempfile::NamedTempFile;

/// A certificate for `store.test` in a file, and a server's configuration with it.
fn certificate() -> (NamedTempFile, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["store.test".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (file, Arc::new(config))
}

fn trusting(file: &NamedTempFile) -> Fetcher {
    let names = Names::of(&[("store.test", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])]);
    let connectors = Connectors::new(Some(file.path())).unwrap();
    Fetcher { connectors, ..fetcher(&["127.0.0.0/8"], &names) }
}

fn https(server: &Server, host: &str) -> PictureUrl {
    PictureUrl::parse(&format!("https://{host}:{}/", server.address.port())).unwrap()
}

#[tokio::test]
async fn a_store_with_the_operators_own_authority_is_fetched_from_under_its_own_name_only() {
    let (file, config) = certificate();
    let server = Server::at("127.0.0.1:0", Some(config), |_| picture()).await;
    let fetcher = trusting(&file);
    for host in ["store.test", "STORE.test."] {
        assert_eq!(fetch_whole(&fetcher, &https(&server, host)).await.unwrap(), PICTURE, "{host}");
    }
    for (fetcher, host) in [(&fetcher, "other.test"), (&fetcher, "127.0.0.1"), (&on_loopback(), "store.test")] {
        let failed = cause(fetch(fetcher, &https(&server, host)).await);
        assert!(matches!(failed, Cause::Unreached { .. }), "{host}: {failed}");
    }
    assert_eq!(server.heads().len(), 2, "not a byte is sent to whom nobody trusts");
}

#[tokio::test]
async fn the_operators_authority_vouches_for_nobody_on_the_internet() {
    let (file, config) = certificate();
    let server = Server::at("127.0.0.1:0", Some(config), |_| picture()).await;
    let connectors = trusting(&file).connectors;
    let url = https(&server, "store.test");
    assert!(connectors.connect(&url, server.address, Way::Allowed).await.is_ok());
    let failed = connectors.connect(&url, server.address, Way::Public).await.map(drop).unwrap_err();
    assert!(failed.to_string().contains("certificate"), "{failed}");
}

#[tokio::test]
async fn a_redirect_may_change_between_http_and_https() {
    let (file, config) = certificate();
    let secured = Server::at("127.0.0.1:0", Some(config), |_| picture()).await;
    let there = format!("https://store.test:{}/", secured.address.port());
    let plain = Server::start(move |_| redirect(&there)).await;
    assert_eq!(fetch_whole(&trusting(&file), &plain.url("store.test", "/")).await.unwrap(), PICTURE);
}

#[tokio::test]
async fn plain_http_where_tls_is_spoken_and_the_other_way_round_are_failures() {
    let (file, config) = certificate();
    let secured = Server::at("127.0.0.1:0", Some(config), |_| picture()).await;
    let plain = Server::start(|_| picture()).await;
    let fetcher = Fetcher { rate: TransferRate { grace: LONG, bytes_per_second: 1 }, ..trusting(&file) };
    let failed = cause(fetch(&fetcher, &secured.url("store.test", "/")).await);
    assert!(matches!(failed, Cause::BrokenOff(_)), "{failed}");
    let (fetcher, url) = (trusting(&file), https(&plain, "store.test"));
    let failed = cause(fetcher.fetch(&payer("ann"), &url, Instant::now() + Duration::from_millis(300)).await);
    assert!(matches!(failed, Cause::TooSlow | Cause::Unreached { .. }), "{failed}");
}

#[test]
fn a_file_that_holds_no_authority_is_named_by_its_setting() {
    let error = Connectors::new(Some(NamedTempFile::new().unwrap().path())).unwrap_err().to_string();
    assert!(error.starts_with("dialects.url.ca_file ") && error.contains("holds no certificate"), "{error}");
}
