//! The journal's lines: JSON, one for each thing that has happened.

use crate::domain::{
    account::{Account, Uid},
    api_key::{ApiKey, KeyHash, KeyId},
    credit::{Hold, OperationId, Payer},
    time::{UnixMicros, UnixSeconds},
};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{HashMap, HashSet};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::store) enum JournalLine {
    /// The store is about to be asked to keep this hold.
    Begun(Hold),
    /// It has kept it.
    Kept(OperationId),
    /// Nothing is charged under this id: the store has released it, or will.
    Void(OperationId, Payer),
    /// An operator or Stripe has done something, at this moment.
    Done(UnixMicros, Change),
}

/// What an operator or Stripe has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::store) enum Change {
    /// The account as a change has left it.
    Account(Account),
    Key(KeyHash, ApiKey),
    Revoked(Revocation),
    Granted(Uid, i64, OperationId),
    /// An event, as the text that processes it again.
    Event(String),
}

/// A revoked key: enough to revoke it again even where the key itself comes back later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Revocation {
    pub(in crate::store) id: KeyId,
    pub(in crate::store) uid: Uid,
    pub(in crate::store) hash: KeyHash,
    pub(in crate::store) at: UnixSeconds,
}

impl JournalLine {
    /// Adds it to a text of lines.
    pub(super) fn write_to(&self, lines: &mut Vec<u8>) {
        append(lines, self);
    }
}

/// Adds [`JournalLine::Begun`] without a copy of the hold.
pub(super) fn begin(lines: &mut Vec<u8>, hold: &Hold) {
    struct Begun<'a>(&'a Hold);
    impl Serialize for Begun<'_> {
        fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
            target.serialize_newtype_variant("JournalLine", 0, "begun", self.0)
        }
    }
    append(lines, &Begun(hold));
}

/// Strings, numbers and enumerations in memory: nothing of it can fail.
fn append(lines: &mut Vec<u8>, line: &impl Serialize) {
    let before = lines.len();
    if serde_json::to_writer(&mut *lines, line).is_err() {
        lines.truncate(before);
        return;
    }
    lines.push(b'\n');
}

/// Every whole line of a file, and those that cannot be read. A torn last line was never answered for.
pub(super) fn read(text: &[u8]) -> (Vec<JournalLine>, Vec<u8>) {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
    for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(line) => lines.push(line),
            Err(_) => unreadable.extend(line.iter().chain(b"\n")),
        }
    }
    (lines, unreadable)
}

/// The holds that were begun and whose end was not seen, file by file.
#[derive(Default)]
pub(super) struct Unanswered {
    begun: HashMap<OperationId, Hold>,
    /// Ends without a beginning so far: that may be in another file.
    ended: HashSet<OperationId>,
}

impl Unanswered {
    pub(super) fn add(&mut self, lines: Vec<JournalLine>) {
        for line in lines {
            match line {
                JournalLine::Begun(hold) => drop(self.begun.insert(hold.id.clone(), hold)),
                JournalLine::Kept(id) | JournalLine::Void(id, _) => {
                    if self.begun.remove(&id).is_none() {
                        self.ended.insert(id);
                    }
                }
                JournalLine::Done(..) => {}
            }
        }
    }

    /// The same for a file whose beginnings are another gateway's.
    pub(super) fn add_ends(&mut self, mut lines: Vec<JournalLine>) {
        lines.retain(|line| !matches!(line, JournalLine::Begun(_)));
        self.add(lines);
    }

    /// Whether any hold is without an end so far.
    pub(super) fn has_any(&self) -> bool {
        !self.begun.is_empty()
    }

    pub(super) fn holds(mut self) -> impl Iterator<Item = Hold> {
        self.begun.retain(|id, _| !self.ended.contains(id));
        self.begun.into_values()
    }
}
