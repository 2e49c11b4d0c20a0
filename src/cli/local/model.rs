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
        Err(error) => {
            // Where there is something to do, the error ends with it, for the log.
            let text = error.to_string();
            let (says, cure) = text.split_once("; ").unwrap_or((&text, "fetch the model again"));
            Finding::fail("model", format!("{says}."), format!("{cure}; or correct backend.model."))
        }
    })
}
