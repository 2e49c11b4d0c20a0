//! What the scripts for holds, keeps and releases say: words with `|` between them.

use super::{operation::Ended, record};
use crate::{
    domain::{
        credit::{Admission, Denial, Draw, HoldRequest, Remaining, Settlement},
        time::UnixMicros,
    },
    store::{Fault, Result},
};
use std::time::Duration;

/// How an operation ended.
pub(super) fn settled_as(text: &str) -> Result<Settlement> {
    let ends = [Ended::Kept, Ended::Released].into_iter().find(|ended| ended.as_str() == text);
    ends.map(Ended::settlement).ok_or_else(|| Fault::Unexpected(format!("an operation ended as {text:?}")))
}

/// What a script for a hold says.
pub(super) fn admission(request: &HoldRequest, answer: &str) -> Result<Admission> {
    let unexpected = || unexpected(answer);
    let micros = |text: &str| text.parse().map(Duration::from_micros).map_err(|_| unexpected());
    let number = |text: &str| text.parse::<u64>().map_err(|_| unexpected());
    let (word, rest) = answer.split_once('|').unwrap_or((answer, ""));
    let hold = |stored: &str| record::hold(&request.id, &request.draw.payer(), stored);
    Ok(match (word, rest.split('|').collect::<Vec<_>>().as_slice(), &request.draw) {
        ("again", ..) => Admission::Held(hold(rest)?, Remaining::default()),
        ("held", [arrival, credits, of_key, ..], Draw::Account { .. }) => {
            let stored = rest.splitn(4, '|').nth(3).ok_or_else(unexpected)?;
            let credits = number(credits)?;
            let of_key = if of_key.is_empty() { credits } else { number(of_key)? };
            let arrival = arrival.parse().ok().map(UnixMicros);
            Admission::Held(
                hold(stored)?,
                Remaining { arrival, quota: Some(credits.min(of_key)), credits: Some(credits) },
            )
        }
        ("held", [arrival, left, ..], Draw::Client { .. }) => {
            let stored = rest.splitn(3, '|').nth(2).ok_or_else(unexpected)?;
            let arrival = arrival.parse().ok().map(UnixMicros);
            Admission::Held(hold(stored)?, Remaining { arrival, quota: Some(number(left)?), credits: None })
        }
        ("settled", [end], _) => Admission::Settled(settled_as(end)?),
        ("no_account", ..) => Admission::Denied(Denial::NoAccount),
        ("too_fast", [after], _) => Admission::Denied(Denial::TooFast { retry_after: micros(after)? }),
        ("exhausted", [after, full], _) => {
            let full_in = if full.is_empty() { None } else { Some(micros(full)?) };
            Admission::Denied(Denial::Exhausted { retry_after: micros(after)?, full_in })
        }
        _ => return Err(unexpected()),
    })
}

fn unexpected(answer: &str) -> Fault {
    Fault::Unexpected(format!("the script for a hold says {answer:?}"))
}
