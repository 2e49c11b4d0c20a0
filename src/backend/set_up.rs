//! Sets up the configured backend.

use super::{
    Backend, SetupError, SharedAccount,
    builtin::Builtin,
    cpu_pool::CpuPool,
    credentials::{KeyValues, Keys},
    http::{HttpSettings, Remote},
    pool::{NamedService, OurAccounts, Pool, PoolSettings},
    rembg_server::RembgServer,
    remote_rmbg::RmbgService,
    service::Service,
};
use crate::{
    config::{BackendConfig, BackendKind},
    telemetry::Metrics,
};
use hyper::Uri;
use std::{sync::Arc, time::Duration};

/// Sets up the backend that the configuration names. From now on the health of its services is checked.
///
/// Needs a running tokio runtime.
pub fn set_up(config: &BackendConfig, cpu_pool: &CpuPool, metrics: &Metrics) -> Result<Arc<dyn Backend>, SetupError> {
    match config.kind {
        BackendKind::Builtin => {
            Ok(Arc::new(Builtin::load(&config.model, config.concurrency, config.waiting_per_slot, metrics)?))
        }
        BackendKind::Rmbg | BackendKind::Rembg => Ok(Arc::new(pool(config, cpu_pool, metrics)?)),
    }
}

fn pool(config: &BackendConfig, cpu_pool: &CpuPool, metrics: &Metrics) -> Result<Pool, SetupError> {
    let keys = Arc::new(Keys::new(KeyValues::configured(config)?));
    let account = SharedAccount::of_keys(config, Arc::clone(&keys))?.map(Arc::new);
    let services = match config.kind {
        BackendKind::Rembg => rembg_servers(config, cpu_pool, metrics)?,
        BackendKind::Rmbg | BackendKind::Builtin => rmbg_services(config, (&keys, account.as_ref()), metrics)?,
    };
    let settings = PoolSettings {
        concurrency: config.concurrency,
        waiting_per_slot: config.waiting_per_slot,
        check_interval: Duration::from_secs(config.check_interval_s),
        check_patience: Duration::from_secs(config.connect_timeout_s),
    };
    Ok(Pool::start(services, OurAccounts { keys, shared: account }, settings, metrics))
}

fn rmbg_services(
    config: &BackendConfig,
    (keys, account): (&Arc<Keys>, Option<&Arc<SharedAccount>>),
    metrics: &Metrics,
) -> Result<Vec<NamedService>, SetupError> {
    each(config, metrics, |remote| Service::Rmbg(RmbgService::new(remote, Arc::clone(keys), account.cloned())))
}

fn rembg_servers(
    config: &BackendConfig,
    cpu_pool: &CpuPool,
    metrics: &Metrics,
) -> Result<Vec<NamedService>, SetupError> {
    let server = |remote| RembgServer::new(remote, config.rembg_model.clone(), cpu_pool.clone());
    each(config, metrics, |remote| Service::Rembg(server(remote)))
}

/// Makes one service for each address.
fn each(
    config: &BackendConfig,
    metrics: &Metrics,
    make: impl Fn(Remote) -> Service,
) -> Result<Vec<NamedService>, SetupError> {
    let settings = HttpSettings::of(config);
    if config.urls.is_empty() {
        return Err(SetupError::NoAddress);
    }
    let one = |url: &String| {
        let address: Uri = url.parse().map_err(|_| SetupError::Address(url.clone()))?;
        let name = name_of(url);
        let remote = Remote::new(address, &settings, metrics.of_backend(&name))?;
        Ok((name, make(remote)))
    };
    config.urls.iter().map(one).collect()
}

/// The address without the query and the user info, which may be secret.
fn name_of(url: &str) -> String {
    let address = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_an_address_is_in_its_name() {
        for (url, name) in [
            ("https://api.rembg.com/rmbg", "https://api.rembg.com/rmbg"),
            ("http://user:pass@10.0.0.1:7000/rmbg?key=secret#part", "http://10.0.0.1:7000/rmbg"),
            ("http://a@b@host/x@y", "http://host/x@y"),
            ("http://host?key=secret", "http://host"),
            ("host/rmbg", "host/rmbg"),
        ] {
            assert_eq!(name_of(url), name);
        }
    }
}
