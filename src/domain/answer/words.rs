//! Errors instead of a picture, if they have the contract's own form: `{"error": …, "status": …}`.

use crate::domain::refusal::Refusal;
use serde::Deserialize;
use std::time::Duration;

/// Bytes of the longest error that is read; a longer one is not in the contract's form.
pub const LONGEST_WORDS: usize = 64 * 1024;

/// The contract's error body; it may have more members.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    status: u16,
    #[expect(dead_code, reason = "that they are well-formed is all that is asked of them")]
    details: Option<Vec<Detail>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "that they are texts is all that is asked of them")]
struct Detail {
    field: String,
    message: String,
}

/// Why a service will not serve our key, where it says so in the contract's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// It does not know the key, or the e-mail address of the key's account is not verified.
    Rejected,
    /// Nothing is left on the key's account.
    Spent,
    /// The key's account asks too fast, by the short-term limit's own sentence.
    TooFast,
}

/// Whether a status is usually about our key and not about the picture. A firewall in front of a service uses the same
/// ones, and whatever a caller has sent may provoke them.
#[must_use]
pub fn is_about_our_key(status: u16) -> bool {
    matches!(status, 401 | 402 | 403 | 429)
}

/// The meaning of such an answer, with its whole body, for our key; `None` if anybody could have provoked it.
#[must_use]
pub fn key_refusal(status: u16, body: &[u8]) -> Option<KeyRefusal> {
    let said = in_our_form(status, body)?;
    let is = |refusal: &Refusal| said.error == refusal.message();
    match status {
        401 => Some(KeyRefusal::Rejected),
        403 if is(&Refusal::EmailNotVerified) => Some(KeyRefusal::Rejected),
        429 if is(&Refusal::TooFast { retry_after: Duration::ZERO }) => Some(KeyRefusal::TooFast),
        402 | 429 => Some(KeyRefusal::Spent),
        _ => None,
    }
}

/// Whether the body of a backend's own 400 is meant for the caller: it has the contract's form, and is not about the
/// credentials, which are ours.
#[must_use]
pub fn is_about_the_form(body: &[u8]) -> bool {
    in_our_form(400, body).is_some_and(|said| said.error != Refusal::KeyAndToken.message())
}

fn in_our_form(status: u16, body: &[u8]) -> Option<ErrorBody> {
    // An array of the same values would be taken too.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let said: ErrorBody = serde_json::from_slice(body).ok().filter(|_| is_object && body.len() <= LONGEST_WORDS)?;
    (said.status == status).then_some(said)
}
