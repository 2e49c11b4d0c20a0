//! The operator's claim about the owner of a subscription, a payment or a customer.

use super::{Intake, JournalEvent, Taken, read};
use crate::{
    domain::{account::Uid, time::UnixMicros},
    store::{self, Fault},
    stripe::{
        claims::Claims,
        object::{Customer, Object},
    },
};
use serde::Serialize;

/// An object that the operator moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// `sub_…`, `pi_…` or `cs_…`
    pub id: String,
    /// The earlier owner, if it was known.
    pub from: Option<Uid>,
    /// The new owner.
    pub to: Uid,
}

impl Intake {
    /// Moves an object, or all objects of a customer, to an account: plan, window, packs and reversals. Usage stays
    /// with the account where it was counted. From then on only the operator can move it again. Fails with
    /// [`Fault::NotFound`] if there is no such account, or if no event has mentioned the id.
    pub async fn move_to(&self, id: &str, uid: &Uid) -> store::Result<Vec<Moved>> {
        self.move_at(id, uid, self.clock.now()).await
    }

    /// The same for a claim that was made at this moment.
    pub(in crate::stripe) async fn move_at(&self, id: &str, uid: &Uid, now: UnixMicros) -> store::Result<Vec<Moved>> {
        if self.store.account(uid).await?.is_none() {
            return Err(Fault::NotFound(format!("there is no account {uid}")));
        }
        if self.store.stripe_object(id).await?.text.is_empty() {
            return Err(Fault::NotFound(format!(
                "no event about {id} has come; name a subscription (sub_…), a payment (pi_…) or a customer (cus_…)"
            )));
        }
        let is_customer = id.starts_with("cus_") || id.starts_with("acct_");
        let ids = if is_customer {
            let (ids, ..) = self
                .change(id, |customer: &mut Customer| {
                    customer.belongs_to(uid);
                    customer.objects().map(str::to_owned).collect::<Vec<_>>()
                })
                .await?;
            ids
        } else {
            vec![id.to_owned()]
        };
        let (mut moved, mut learnt) = (Vec::new(), vec![id.to_owned()]);
        for id in ids {
            let claims = Claims::of_operator(uid, now);
            let (from, ..) = self
                .change(&id, |object: &mut Object| {
                    let from = object.owner().map(|(uid, _)| uid.clone());
                    object.claim(claims.clone());
                    from
                })
                .await?;
            learnt.extend(self.settle(&format!("stripe-move:{id}:{}", now.0), &id).await?.learnt);
            moved.push(Moved { id, from, to: uid.clone() });
        }
        for event in read(self.store.parked_under(&learnt).await?) {
            self.take(event, &mut Taken::default()).await?;
        }
        self.note(Some(JournalEvent::Move(id.to_owned(), uid.clone(), now))).await?;
        Ok(moved)
    }
}
