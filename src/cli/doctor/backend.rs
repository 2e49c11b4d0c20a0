//! Checks the services behind the gateway: their addresses can be reached, and our account there has credits.

use super::Finding;
use crate::{
    backend::SharedAccount,
    config::{BackendConfig, BackendKind, without_query},
};
use hyper::Uri;
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};

const IS_IT_THERE: &str = "Is the service running, is backend.urls right, and does a firewall let us through?";

pub(super) async fn look(config: &BackendConfig) -> Vec<Finding> {
    match config.kind {
        BackendKind::Builtin => Vec::new(),
        BackendKind::Rmbg | BackendKind::Rembg => {
            let patience = Duration::from_secs(config.connect_timeout_s);
            let mut findings = Vec::with_capacity(config.urls.len());
            for url in &config.urls {
                findings.push(address(url, patience).await);
            }
            findings.extend(account(config).await);
            findings
        }
    }
}

/// The credits left on our own account there.
async fn account(config: &BackendConfig) -> Option<Finding> {
    let report = match SharedAccount::new(config) {
        Ok(account) => account?.report().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Some(match report.map(|report| report.remaining()) {
        Ok(0) => Finding::warn(
            "backend",
            "Our own account at the backend has no credits left, so callers get 503.",
            "Buy credits there, or add a key with credits to backend.api_keys.",
        ),
        Ok(left) => Finding::ok("backend", format!("Our own account at the backend has {left} credits left.")),
        Err(error) => Finding::warn(
            "backend",
            format!("Our own account at the backend cannot be read: {error}."),
            "Are backend.reconcile.url and backend.api_key right?",
        ),
    })
}

/// Whether a connection can be made. Nothing is sent, because a picture would cost money.
async fn address(url: &str, patience: Duration) -> Finding {
    let shown = without_query(url);
    let Some((host, port)) = host_and_port(url) else {
        return Finding::fail("backend", format!("{shown} is not an address."), "Correct backend.urls.");
    };
    match timeout(patience, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Finding::ok("backend", format!("{shown} can be reached.")),
        Ok(Err(error)) => Finding::fail("backend", format!("{shown} cannot be reached: {error}."), IS_IT_THERE),
        Err(_) => {
            Finding::fail("backend", format!("{shown} does not answer within {} s.", patience.as_secs()), IS_IT_THERE)
        }
    }
}

fn host_and_port(url: &str) -> Option<(String, u16)> {
    let address: Uri = url.parse().ok()?;
    let host = address.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let usual = if address.scheme_str() == Some("https") { 443 } else { 80 };
    Some((host, address.port_u16().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::finding::Verdict;

    #[test]
    fn the_port_is_the_schemes_unless_it_is_named() {
        for (url, host, port) in [
            ("http://a/rmbg", "a", 80),
            ("https://api.rembg.com/rmbg", "api.rembg.com", 443),
            ("http://[::1]:7000/", "::1", 7000),
        ] {
            assert_eq!(host_and_port(url), Some((host.to_owned(), port)));
        }
    }

    #[tokio::test]
    async fn a_backend_that_listens_is_found_and_one_that_does_not_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/rmbg", listener.local_addr().unwrap());
        assert_eq!(address(&url, Duration::from_secs(5)).await.verdict, Verdict::Ok);
        drop(listener);
        assert_eq!(address(&url, Duration::from_secs(5)).await.verdict, Verdict::Fail);
    }
}
