//! Asks the gateway that runs on this machine, if one does, what it has to say of itself.

use crate::cli::{Session, finding::Finding, ready};
use serde_json::Value;
use std::io;

const SUBJECT: &str = "gateway";

pub(super) async fn look(session: &Session) -> Vec<Finding> {
    let at = ready::reachable(session.config.listen.admin);
    match ready::ask_patiently(at).await {
        Ok((status, body)) => judge(&at.to_string(), status, &body),
        // No gateway runs here, which is nothing wrong.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Vec::new(),
        Err(error) => {
            let says = format!("What listens on {at} cannot be asked: {error}.");
            vec![Finding::warn(SUBJECT, says, "Is listen.admin the address of this gateway, and does its log say why?")]
        }
    }
}

fn judge(at: &str, status: u16, body: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if status != 200 {
        let says = format!("The gateway at {at} is not ready: {body}");
        findings.push(Finding::fail(SUBJECT, says, "Its log and the findings here say why."));
    }
    let codes = body["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.extend(codes.iter().filter_map(Value::as_str).map(|code| warning(at, code)));
    if findings.is_empty() {
        findings.push(Finding::ok(SUBJECT, format!("The gateway at {at} is ready.")));
    }
    findings
}

/// A warning of `/readyz`, in words.
fn warning(at: &str, code: &str) -> Finding {
    let (says, cure) = match code {
        "backend_keys_resting" => (
            "rests some of our keys at the backend, because the service has refused them",
            "Look at those keys at the service; its log names them. They are tried again within 15 minutes.",
        ),
        "backend_account_exhausted" => (
            "has no credits left on our own account at the backend, and callers get 503",
            "Buy credits there, or add a key with credits to backend.api_keys.",
        ),
        "certificate_near_end" => {
            ("has a certificate that soon ends", "Renew it; the new file is used within seconds, without a restart.")
        }
        "journal_waiting" => (
            "has served pictures in its journal that the store has not counted yet",
            "Look at the store; they are counted once it answers. Do not remove the journal.",
        ),
        code => {
            let says = format!("The gateway at {at} warns: {code}.");
            return Finding::warn(SUBJECT, says, format!("Look at its log, and at http://{at}/readyz."));
        }
    };
    Finding::warn(SUBJECT, format!("The gateway at {at} {says}."), cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::finding::Verdict;
    use serde_json::json;

    #[test]
    fn its_warnings_become_findings_and_unready_is_a_failure() {
        for (status, body, verdicts) in [
            (200, json!({"ready": true}), vec![Verdict::Ok]),
            (200, json!({"ready": true, "warnings": []}), vec![Verdict::Ok]),
            (200, json!({"warnings": ["backend_keys_resting", "journal_waiting"]}), vec![Verdict::Warn; 2]),
            (200, json!({"warnings": ["of_a_newer_version"]}), vec![Verdict::Warn]),
            (503, json!({"ready": false, "store": false}), vec![Verdict::Fail]),
        ] {
            let findings = judge("127.0.0.1:8081", status, &body);
            assert_eq!(findings.iter().map(|one| one.verdict).collect::<Vec<_>>(), verdicts, "{body}");
        }
        let says = judge("a:1", 503, &json!({"warnings": ["backend_account_exhausted"]}));
        assert!(says.len() == 2 && says[1].says.contains("no credits left"), "{says:?}");
    }
}
