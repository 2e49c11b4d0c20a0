//! A document of one of Stripe's objects or customers, and how it is changed.

use super::{Intake, TRIES, unexpected};
use crate::store::{self, Fault, StripeObject};
use serde::{Serialize, de::DeserializeOwned};

impl Intake {
    /// Changes a document, and repeats the change if the document changes meanwhile. Returns the result of the change,
    /// the new document, and whether it differs from the old one.
    pub(super) async fn change<D, T>(&self, id: &str, change: impl Fn(&mut D) -> T) -> store::Result<(T, D, bool)>
    where
        D: Serialize + DeserializeOwned + Default + Clone + PartialEq,
    {
        for _ in 0..TRIES {
            let StripeObject { version, text } = self.store.stripe_object(id).await?;
            let before: D = if text.is_empty() {
                D::default()
            } else {
                serde_json::from_str(&text).map_err(|error| unexpected(&error))?
            };
            let mut after = before.clone();
            let answer = change(&mut after);
            if after == before {
                return Ok((answer, after, false));
            }
            let text = serde_json::to_string(&after).map_err(|error| unexpected(&error))?;
            if self.store.put_stripe_object(id, &StripeObject { version, text }).await? {
                return Ok((answer, after, true));
            }
        }
        Err(Fault::Unavailable(format!("what is known of {id} was changed {TRIES} times meanwhile")))
    }
}
