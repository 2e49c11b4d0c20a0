//! From the configuration to what each part is set up with. What a reload takes up is computed here, at the start too.

use crate::{
    config::{BackendKind, Config},
    edge::{Cors, DialectRules, PublicState, Routes, Snapshot, shield::ShieldLimits},
    rmbg::Rules,
    spool::DiskRules,
};
use std::{sync::Arc, time::Duration};

/// Reading a form and asking a backend have deadlines of their own. A request that takes this much longer than both is
/// stuck.
const MARGIN: Duration = Duration::from_secs(30);

/// The public state by which requests are served once this configuration is in force.
pub(super) fn next_state(state: &PublicState, config: &Config) -> PublicState {
    let mut next = state.clone();
    let header = &next.ingress.token_header;
    next.cors = Arc::new(Cors::new(config.cors.origins.clone(), header));
    next.ingress.shield = next.ingress.shield.with_limits(shield_limits(config));
    next.ingress.proxies = config.limits.proxies();
    next.rmbg.rules = rules(config);
    next.rmbg.fetcher = next.rmbg.fetcher.map(|fetcher| fetcher.at_rate(config.limits.transfer_rate()));
    next
}

/// What the public listeners serve requests by.
pub(super) fn public_snapshot(config: &Config, routes: Routes) -> Snapshot {
    let request_timeout = Duration::from_secs(config.limits.upload_timeout_s + config.backend.timeout_s) + MARGIN;
    Snapshot {
        routes,
        uncounted: config.limits.trusted_proxies.clone(),
        request_timeout,
        transfer_rate: config.limits.transfer_rate(),
        grace: request_timeout,
    }
}

/// What the admin listener serves requests by. A stop does not wait for operators.
pub(super) fn admin_snapshot(config: &Config, routes: Routes) -> Snapshot {
    Snapshot { grace: Duration::ZERO, ..public_snapshot(config, routes) }
}

pub(super) fn shield_limits(config: &Config) -> ShieldLimits {
    ShieldLimits {
        bad_credentials_per_minute: config.limits.bad_credentials_per_minute,
        in_flight_per_client: config.limits.in_flight_per_client,
    }
}

pub(super) fn dialects(config: &Config) -> DialectRules {
    let model = match config.backend.kind {
        BackendKind::Builtin => "u2netp",
        BackendKind::Rembg => &config.backend.rembg_model,
        BackendKind::Rmbg => "rmbg",
    };
    DialectRules {
        removebg: config.dialects.removebg,
        rembg: config.dialects.rembg.enabled,
        key_in_query: config.dialects.rembg.key_in_query,
        model: model.into(),
    }
}

pub(super) fn disk_rules(config: &Config) -> DiskRules {
    let limits = &config.limits;
    DiskRules {
        most: limits.spool_budget.0,
        kept_for_answers: limits.kept_for_answers(),
        max_answer: limits.max_answer.0,
        per_client: limits.held_per_client(),
        per_account: limits.held_per_account(),
    }
}

pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        plans: config.plans.clone(),
        terms: config.terms(),
        anonymous: config.anonymous.clone(),
        create_accounts: config.auth.user_token.create_accounts,
        upload_timeout: Duration::from_secs(config.limits.upload_timeout_s),
        upload_rate: config.limits.transfer_rate(),
        answer_timeout: Duration::from_secs(config.backend.timeout_s),
        pixel_limit: config.backend.pixel_limit(),
        longest_made: config.longest_made(),
        is_metered: config.backend.is_metered(),
        rembg_models: config.dialects.rembg.models.clone(),
    }
}
