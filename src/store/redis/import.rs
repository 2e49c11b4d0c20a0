//! An account from another store.
//!
//! Its long lists come first, in parts that can be written again; nobody sees them, as long as the account's own hash
//! is missing. That comes with everything else in one script, and the pointers from keys last; what is known of
//! Stripe's objects, which accounts may share, comes before it.

use super::{
    account_fields, api_keys,
    engine::Engine,
    entry, export, ledger,
    moment::{PERIOD_FIELDS, period_fields},
    operation::{Ended, day_of},
    record,
    scripts::Call,
    stripe,
};
use crate::{
    domain::{
        account::{Account, Uid},
        credit::OperationId,
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::{
        AccountExport, Cursor, Fault, KeyExport, LedgerEntry, Records, Result, StripeObject,
        key_names::{self, AccountNames},
        transfer::other,
    },
};

pub(super) async fn part(engine: &Engine, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor> {
    let names = engine.names(uid);
    let (own, scripts) = (names.own(), &engine.scripts);
    let call = match records {
        Records::Ledger(entries) => return ledger(engine, uid, entries, after).await,
        Records::Grants(grants) => {
            let call = Call::of(&scripts.import_grants, [own, &names.grants()]);
            grants.iter().fold(call, |call, (OperationId(id), credits, balance)| {
                call.arg(id).arg(format!("{balance} {credits}"))
            })
        }
        Records::Settled(operations) => {
            let call = Call::of(&scripts.import_settled, [own]);
            operations.iter().fold(call, |call, (id, end, at)| {
                // What the id tells need not be remembered beside it.
                let told = (id.stamp() != Some(*at)).then_some(at.0);
                call.arg(&id.0).shown(day_of(id)).arg(Ended::of(*end).as_str()).number(told)
            })
        }
        Records::Events(events) => {
            let call = Call::of(&scripts.import_moments, [own, &names.stripe_events()]);
            events.iter().fold(call, |call, (event, at)| call.arg(event).arg(at.0))
        }
    };
    written(uid, &call.run::<Vec<String>>(&engine.link).await?)?;
    Ok(Cursor::default())
}

/// Compares what is there and appends the rest.
async fn ledger(engine: &Engine, uid: &Uid, entries: &[LedgerEntry], after: &Cursor) -> Result<Cursor> {
    let (mut cursor, mut rest) = (after.clone(), entries);
    while !rest.is_empty() {
        let (there, next) = export::ledger_after(engine, uid, &cursor, rest.len()).await?;
        if there.is_empty() {
            break;
        }
        if !rest.starts_with(&there) {
            return Err(other(uid, "its ledger"));
        }
        rest = &rest[there.len()..];
        cursor = next.unwrap_or(cursor);
    }
    let names = engine.names(uid);
    while !rest.is_empty() {
        let (month, ids) = places(&cursor, rest);
        let keys = [names.own(), &names.ledger(month), &names.ledgers()];
        let mut call = Call::of(&engine.scripts.import_ledger, keys).shown(month);
        let (now, later) = rest.split_at(ids.len());
        for (entry, id) in now.iter().zip(&ids) {
            let words = entry::words(entry)?;
            call = call.arg(id).arg(words.len());
            call = words.into_iter().fold(call, Call::arg);
        }
        written(uid, &call.run::<Vec<String>>(&engine.link).await?)?;
        cursor = ids.last().map_or(cursor, |id| export::cursor(month, id));
        rest = later;
    }
    Ok(cursor)
}

/// The month of the first entries after the mark, and their ids in its stream. They follow from the entries alone, so that
/// writing them again finds them. Neither months nor ids go back, even where a clock did: the order stays.
fn places(cursor: &Cursor, entries: &[LedgerEntry]) -> (Month, Vec<String>) {
    let (began, last) = cursor.0.split_once(' ').unwrap_or_default();
    let began = record::month(began);
    let of = |entry: &LedgerEntry| began.map_or(month(entry.at), |began| began.max(month(entry.at)));
    let first = entries.first().map_or(Month { year: 1, month: 1 }, of);
    let last = last.split_once('-').and_then(|(millis, number)| Some((millis.parse().ok()?, number.parse().ok()?)));
    let (mut millis, mut number): (i64, u64) = last.filter(|_| began == Some(first)).unwrap_or_default();
    let mut ids = Vec::new();
    for entry in entries.iter().take_while(|entry| of(entry) == first) {
        let at = entry.at.0.div_euclid(1_000);
        (millis, number) = if at > millis { (at, 1) } else { (millis, number + 1) };
        ids.push(format!("{millis}-{number}"));
    }
    (first, ids)
}

fn month(at: UnixMicros) -> Month {
    at.seconds().month()
}

pub(super) async fn account(engine: &Engine, export: &AccountExport) -> Result<()> {
    let uid = &export.account.uid;
    for key in &export.keys {
        api_keys::must_be_free(engine, &key.hash, &key.key).await?;
    }
    for (id, text) in export.stripe_objects.iter().filter(|(_, text)| !text.is_empty()) {
        // What several accounts share is there already.
        stripe::put_object(engine, id, &StripeObject { version: 0, text: text.clone() }).await?;
        if stripe::object(engine, id).await?.text != *text {
            return Err(other(uid, &format!("Stripe's {id}")));
        }
    }
    let answer: Vec<String> = call(engine, export)?.run(&engine.link).await?;
    if answer == ["there"] {
        let there = export::account(engine, uid).await?;
        export.must_equal(&there.ok_or_else(|| other(uid, "it goes and comes"))?)?;
    } else {
        written(uid, &answer)?;
    }
    engine.callers.forget_account(uid);
    for key in &export.keys {
        api_keys::point_to(engine, &key.hash, &key.key).await?;
    }
    Ok(())
}

fn call<'a>(engine: &'a Engine, export: &AccountExport) -> Result<Call<'a>> {
    let names = engine.names(&export.account.uid);
    let keys = [
        names.own(),
        &names.keys(),
        &names.revoked(),
        &names.last_used(),
        &names.stripe(),
        &names.stripe_ids(),
        &names.moved_cycles(),
        &names.counted(),
        &names.cycle_index(),
        &names.ledgers(),
        &names.grants(),
        &names.closed(),
    ];
    let call = Call::of(&engine.scripts.import, keys).arg(export.ledger).arg(export.grants);
    let text = |number: i64| number.to_string();
    let pair = |name: &str, value: String| [name.to_owned(), value];
    let call = group(call, export.counters.iter().map(|(name, value)| pair(name, text(*value))));
    let call = group(call, account_fields(&export.account));
    let mut stored = Vec::new();
    for key in &export.keys {
        stored.push(pair(&key.key.id.0, api_keys::stored(&key.hash, &key.key)?));
    }
    let call = group(call, stored);
    let moments = |moment: fn(&KeyExport) -> Option<UnixSeconds>| {
        let cache = export.keys.iter().filter_map(move |key| Some((&key.key.id.0, moment(key)?)));
        cache.map(|(id, at)| pair(id, text(at.0))).collect::<Vec<_>>()
    };
    let call = group(call, moments(|key| key.key.revoked));
    let call = group(call, moments(|key| key.last_used));
    let stripe = export.stripe.iter().flat_map(|(version, remembered)| {
        // Plans that were assigned by hand raise the version too, and leave nothing to remember.
        let text = (!remembered.is_empty()).then(|| pair("remembered", remembered.clone()));
        [Some(pair("version", version.to_string())), text].into_iter().flatten()
    });
    let call = group(call, stripe);
    let call = group(call, export.stripe_objects.keys().map(|id| [id.clone()]));
    let call = group(call, export.moved_cycles.iter().map(|(from, to)| [text(from.0), text(to.0)]));
    let call = group(call, cycles(&names, export));
    Ok(group(call, ledger::closed_fields(&export.closed)))
}

/// How many, then all of them.
fn group<const N: usize>(call: Call<'_>, items: impl IntoIterator<Item = [String; N]>) -> Call<'_> {
    let items: Vec<_> = items.into_iter().collect();
    let call = call.arg(items.len());
    items.into_iter().flatten().fold(call, Call::arg)
}

/// The starts of the cycles that have counters of included credits.
fn cycles(names: &AccountNames, export: &AccountExport) -> Vec<[String; 1]> {
    let starts = export.counters.keys().filter_map(|name| key_names::cycle_named(&names.whole(name)));
    let mut starts: Vec<_> = starts.map(|(_, start)| start).collect();
    starts.sort_unstable();
    starts.dedup();
    starts.into_iter().map(|start| [start.0.to_string()]).collect()
}

/// The account's hash.
fn account_fields(account: &Account) -> Vec<[String; 2]> {
    let Account { uid, membership, credits, prepaid, email_verified, overrides, billing_period } = account;
    let mut fields = vec![
        ("uid", uid.to_string()),
        ("membership", membership.clone()),
        ("credits", credits.to_string()),
        ("prepaid_credits", prepaid.to_string()),
        ("email_verified", u8::from(*email_verified).to_string()),
    ];
    fields.extend(account_fields::overridden(*overrides).into_iter().map(|(name, value)| (name, value.to_string())));
    if let Some(period) = billing_period {
        let cache = PERIOD_FIELDS.into_iter().zip(period_fields(period));
        fields.extend(cache.filter(|(_, value)| !value.is_empty()));
    }
    fields.into_iter().map(|(name, value)| [name.to_owned(), value]).collect()
}

/// What a script says of what it found.
fn written(uid: &Uid, answer: &[String]) -> Result<()> {
    match answer {
        [word] if word == "written" => Ok(()),
        [word, what] if word == "other" => Err(other(uid, what)),
        _ => Err(Fault::Unexpected(format!("the script for an import says {answer:?}"))),
    }
}
