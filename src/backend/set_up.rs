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
use crate::config::{BackendConfig, BackendKind};
use hyper::Uri;
use std::{sync::Arc, time::Duration};

/// Sets up the backend that the configuration names. From now on the health of its services is checked.
///
/// Needs a running tokio runtime.
pub fn set_up(config: &BackendConfig, cpu_pool: &CpuPool) -> Result<Arc<dyn Backend>, SetupError> {
    match config.kind {
        BackendKind::Builtin => {
            Ok(Arc::new(Builtin::load(&config.model, config.concurrency, config.waiting_per_slot)?))
        }
        BackendKind::Rmbg | BackendKind::Rembg => Ok(Arc::new(pool(config, cpu_pool)?)),
    }
}

fn pool(config: &BackendConfig, cpu_pool: &CpuPool) -> Result<Pool, SetupError> {
    let keys = Arc::new(Keys::new(KeyValues::configured(config)?));
    let account = SharedAccount::of_keys(config, Arc::clone(&keys))?.map(Arc::new);
    let services = match config.kind {
        BackendKind::Rembg => rembg_servers(config, cpu_pool)?,
        BackendKind::Rmbg | BackendKind::Builtin => rmbg_services(config, &keys, account.as_ref())?,
    };
    let settings = PoolSettings {
        concurrency: config.concurrency,
        waiting_per_slot: config.waiting_per_slot,
        check_interval: Duration::from_secs(config.check_interval_s),
        check_patience: Duration::from_secs(config.connect_timeout_s),
    };
    Ok(Pool::start(services, OurAccounts { keys, shared: account }, settings))
}

fn rmbg_services(
    config: &BackendConfig,
    keys: &Arc<Keys>,
    account: Option<&Arc<SharedAccount>>,
) -> Result<Vec<NamedService>, SetupError> {
    each(config, |remote| RmbgService::new(remote, Arc::clone(keys), account.cloned()))
}

fn rembg_servers(config: &BackendConfig, cpu_pool: &CpuPool) -> Result<Vec<NamedService>, SetupError> {
    each(config, |remote| RembgServer::new(remote, config.rembg_model.clone(), cpu_pool.clone()))
}

/// Makes one service for each address. Its name is the address without the query.
fn each<S: Service>(config: &BackendConfig, make: impl Fn(Remote) -> S) -> Result<Vec<NamedService>, SetupError> {
    let settings = HttpSettings::of(config);
    if config.urls.is_empty() {
        return Err(SetupError::NoAddress);
    }
    let one = |url: &String| {
        let address: Uri = url.parse().map_err(|_| SetupError::Address(url.clone()))?;
        let name = url.split('?').next().unwrap_or(url).to_owned();
        let service: Box<dyn Service> = Box::new(make(Remote::new(address, &settings)?));
        Ok((name, service))
    };
    config.urls.iter().map(one).collect()
}
