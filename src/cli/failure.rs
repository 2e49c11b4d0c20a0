//! The errors of commands, their exit codes and their hints.

use super::USAGE;
use crate::{admin::AdminError, app::StartError, config::ConfigErrors, identity::KeyringError, store::Fault};
use std::path::PathBuf;

/// What to do without a store.
pub(super) const NO_STORE_HINT: &str = "Is this the gateway's configuration? Give it with --config or REMBG_GATEWAY_CONFIG; or \
                                        make a store, with serve or user add.";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the configuration has mistakes:\n{0}")]
    Configuration(#[from] ConfigErrors),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Store(#[from] Fault),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store does not exist, and this command makes none.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// Accounts could not be moved between two stores.
    #[error(transparent)]
    Migration(Fault),
    /// An argument is invalid.
    #[error("{0}")]
    Typed(String),
    /// The address of a store on the command line is invalid.
    #[error("{0}")]
    Address(String),
    #[error("the key cannot be read from standard input: {0}")]
    Input(String),
    #[error("the report cannot be written as JSON: {0}")]
    Report(String),
    #[error("the runtime does not start: {0}")]
    Runtime(String),
}

impl Failure {
    /// 64 for a mistake in the arguments or the configuration, 1 for any other failure.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Address(_) | Self::Typed(_) => USAGE,
            Self::Admin(_)
            | Self::NoStore(_)
            | Self::Store(_)
            | Self::Migration(_)
            | Self::Keyring(_)
            | Self::Start(_)
            | Self::Input(_)
            | Self::Report(_)
            | Self::Runtime(_) => 1,
        }
    }

    /// What to do now, if that is known.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Configuration(_) => Some(
                "rembg-gateway config shows every setting with its meaning, without --config and variables its default.",
            ),
            Self::Admin(error) => match error {
                AdminError::NoPlan { .. } => Some("Plans are in the configuration, under [plans.NAME]."),
                AdminError::NoAccount(_) => Some("Make it with: rembg-gateway user add UID --plan NAME"),
                AdminError::NoKey(_) => Some("List the ids with: rembg-gateway key list UID"),
                AdminError::Store(fault) => store_hint(fault),
                AdminError::NotAKey | AdminError::KnownKey(_) | AdminError::Expired | AdminError::NoRandomness(_) => {
                    None
                }
            },
            Self::Store(fault) => store_hint(fault),
            Self::NoStore(_) => Some(NO_STORE_HINT),
            Self::Migration(Fault::Unavailable(_) | Fault::Unexpected(_)) => {
                Some("Nothing is lost. Run the same command again; it continues where this one stopped.")
            }
            Self::Keyring(_) => Some("Is it the right file and the right user? rembg-gateway doctor tells more."),
            Self::Input(_) => Some("Use it like this: rembg-gateway key import UID < FILE"),
            Self::Migration(
                Fault::NotFound(_)
                | Fault::Insufficient(_)
                | Fault::TooLarge(_)
                | Fault::Taken(_)
                | Fault::Unusable(_)
                | Fault::Conflict(_),
            )
            | Self::Address(_)
            | Self::Typed(_)
            | Self::Start(_)
            | Self::Report(_)
            | Self::Runtime(_) => None,
        }
    }
}

fn store_hint(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Unavailable(_) | Fault::Unexpected(_) => {
            Some("Is store.url the right one? rembg-gateway doctor tells more.")
        }
        Fault::Conflict(_) => Some("Another grant needs an id of its own."),
        Fault::NotFound(_) | Fault::Insufficient(_) | Fault::TooLarge(_) | Fault::Taken(_) | Fault::Unusable(_) => None,
    }
}
