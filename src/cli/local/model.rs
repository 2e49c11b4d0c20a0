//! The file with the builtin backend's model.

use crate::{
    backend::builtin,
    cli::finding::Finding,
    config::{BackendConfig, BackendKind},
};

pub(super) fn look(config: &BackendConfig) -> Option<Finding> {
    if config.kind != BackendKind::Builtin {
        return None;
    }
    let shown = config.model.display();
    Some(match builtin::verify_model(&config.model) {
        Ok(()) => Finding::ok("model", format!("{shown} is u2netp, complete.")),
        Err(error) => Finding::fail(
            "model",
            format!("{error}."),
            format!("deploy/fetch-model.sh {shown}, or correct backend.model."),
        ),
    })
}
