//! Whether a gateway is ready for callers, and what its operator should look at meanwhile.

/// What a gateway's readiness follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayState {
    /// Whether it serves or is about to stop.
    pub phase: Phase,
    /// Whether the store reads and writes.
    pub store_up: bool,
    /// Whether any service of the backend is up.
    pub backend_up: bool,
    /// The certificate of the public listener; `None` without TLS.
    pub certificate: Option<CertificateAge>,
    /// Our keys at the backend that rest.
    pub keys_resting: u64,
    /// Whether nothing is left on an account of ours at the backend.
    pub account_exhausted: bool,
    /// Keeps in the journal that the store has not acknowledged.
    pub journal_waiting: u64,
}

/// The part of its life that a gateway is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It is setting itself up.
    #[default]
    Starting,
    /// It serves.
    Serving,
    /// It serves what still comes, and is about to stop.
    Draining,
}

/// How much of a certificate's lifetime is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateAge {
    /// At least a quarter.
    Fresh,
    /// Less than a quarter.
    NearEnd,
    /// Nothing.
    Expired,
}

/// The judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Why callers should be sent to another gateway; empty if this one is ready.
    pub obstacles: Vec<Obstacle>,
    /// What an operator should look at. None of it sends callers elsewhere, because all gateways may have it alike.
    pub warnings: Vec<Warning>,
}

impl Readiness {
    /// Whether callers may be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.obstacles.is_empty()
    }
}

/// Why a gateway is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is setting itself up.
    Starting,
    /// It is about to stop.
    Draining,
    /// The store does not read or does not write.
    StoreUnavailable,
    /// No service of the backend is up.
    BackendUnavailable,
    /// The certificate has expired, so that no client talks to it.
    CertificateExpired,
}

impl Obstacle {
    /// The name in `/readyz`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::StoreUnavailable => "store_unavailable",
            Self::BackendUnavailable => "backend_unavailable",
            Self::CertificateExpired => "certificate_expired",
        }
    }
}

/// What an operator should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// At least one of our keys at the backend rests.
    BackendKeysResting,
    /// Nothing is left on an account of ours at the backend.
    BackendAccountExhausted,
    /// Less than a quarter of the certificate's lifetime is left.
    CertificateNearEnd,
    /// Pictures were served that the store has not counted yet.
    JournalWaiting,
}

impl Warning {
    /// Every warning, in the order in which they are told.
    pub const ALL: [Self; 4] =
        [Self::BackendKeysResting, Self::BackendAccountExhausted, Self::CertificateNearEnd, Self::JournalWaiting];

    /// The name in `/readyz` and in the metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BackendKeysResting => "backend_keys_resting",
            Self::BackendAccountExhausted => "backend_account_exhausted",
            Self::CertificateNearEnd => "certificate_near_end",
            Self::JournalWaiting => "journal_waiting",
        }
    }

    fn applies_to(self, state: &GatewayState) -> bool {
        match self {
            Self::BackendKeysResting => state.keys_resting > 0,
            Self::BackendAccountExhausted => state.account_exhausted,
            Self::CertificateNearEnd => state.certificate == Some(CertificateAge::NearEnd),
            Self::JournalWaiting => state.journal_waiting > 0,
        }
    }
}

impl GatewayState {
    /// Judges it.
    #[must_use]
    pub fn judge(&self) -> Readiness {
        let obstacles = [
            (self.phase == Phase::Starting, Obstacle::Starting),
            (self.phase == Phase::Draining, Obstacle::Draining),
            (!self.store_up, Obstacle::StoreUnavailable),
            (!self.backend_up, Obstacle::BackendUnavailable),
            (self.certificate == Some(CertificateAge::Expired), Obstacle::CertificateExpired),
        ];
        Readiness {
            obstacles: obstacles.into_iter().filter_map(|(is_there, obstacle)| is_there.then_some(obstacle)).collect(),
            warnings: Warning::ALL.into_iter().filter(|warning| warning.applies_to(self)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: GatewayState = GatewayState {
        phase: Phase::Serving,
        store_up: true,
        backend_up: true,
        certificate: Some(CertificateAge::Fresh),
        keys_resting: 0,
        account_exhausted: false,
        journal_waiting: 0,
    };

    #[test]
    fn a_gateway_is_not_ready_for_the_reasons_that_another_gateway_may_not_have() {
        for (state, obstacles) in [
            (GOOD, &[][..]),
            (GatewayState { certificate: None, ..GOOD }, &[]),
            (GatewayState { phase: Phase::Starting, ..GOOD }, &[Obstacle::Starting]),
            (GatewayState { phase: Phase::Draining, ..GOOD }, &[Obstacle::Draining]),
            (GatewayState { store_up: false, ..GOOD }, &[Obstacle::StoreUnavailable]),
            (GatewayState { backend_up: false, ..GOOD }, &[Obstacle::BackendUnavailable]),
            (GatewayState { certificate: Some(CertificateAge::Expired), ..GOOD }, &[Obstacle::CertificateExpired]),
            (
                GatewayState { store_up: false, backend_up: false, ..GOOD },
                &[Obstacle::StoreUnavailable, Obstacle::BackendUnavailable],
            ),
        ] {
            let judged = state.judge();
            assert_eq!((&judged.obstacles[..], judged.is_ready()), (obstacles, obstacles.is_empty()), "{state:?}");
            assert_eq!(judged.warnings, [], "{state:?}");
        }
    }

    #[test]
    fn everything_else_is_a_warning_of_a_gateway_that_is_ready() {
        for (state, warnings) in [
            (GatewayState { keys_resting: 2, ..GOOD }, &["backend_keys_resting"][..]),
            (GatewayState { account_exhausted: true, ..GOOD }, &["backend_account_exhausted"]),
            (GatewayState { certificate: Some(CertificateAge::NearEnd), ..GOOD }, &["certificate_near_end"]),
            (GatewayState { journal_waiting: 1, ..GOOD }, &["journal_waiting"]),
            (
                GatewayState { keys_resting: 1, account_exhausted: true, journal_waiting: 9, ..GOOD },
                &["backend_keys_resting", "backend_account_exhausted", "journal_waiting"],
            ),
        ] {
            let judged = state.judge();
            assert!(judged.is_ready(), "{state:?}");
            assert_eq!(judged.warnings.iter().map(|warning| warning.code()).collect::<Vec<_>>(), warnings);
        }
    }
}
