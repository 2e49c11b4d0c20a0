//! The fields of an account's hash, as they are read and written.

use super::moment::PeriodFields;
use crate::{
    domain::{
        account::{Account, Overrides, Uid},
        rate_limit::Burst,
    },
    store::{
        Result,
        key_names::AccountNames,
        whole::{not_an_integer, whole},
    },
};
use std::collections::HashMap;

/// An account as its hash says. What other software left out, or wrote in another way, is read with good will.
/// But for what its credits hang on: that must be numbers.
pub(super) fn from_fields(
    uid: &Uid,
    names: &AccountNames,
    mut fields: HashMap<String, String>,
) -> Result<(Account, PeriodFields)> {
    let seen = PeriodFields::of(|name| fields.get(name).cloned());
    seen.must_be_readable(names)?;
    let number = |name: &str| match fields.get(name) {
        Some(text) => whole(text).ok_or_else(|| not_an_integer(&format!("{} {name}", names.own()))),
        None => Ok(0),
    };
    let verified = fields.get("email_verified").is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"));
    let own = |name: &str| fields.get(name).and_then(|text| whole(text)).and_then(|number| u64::try_from(number).ok());
    let burst = own("burst_per_minute").zip(own("burst_size"));
    let overrides = Overrides {
        burst: burst.map(|(per_minute, size)| Burst::of(per_minute, size)),
        priority: own("priority").map(|turns| u8::try_from(turns).unwrap_or(u8::MAX)),
        max_pixels: own("max_pixels"),
    };
    let (credits, prepaid) = (u64::try_from(number("credits")?).unwrap_or(0), number("prepaid_credits")?);
    let account = Account {
        uid: uid.clone(),
        membership: fields.remove("membership").unwrap_or_default(),
        credits,
        prepaid,
        email_verified: verified,
        overrides,
        billing_period: seen.period(),
    };
    Ok((account, seen))
}

/// The fields that an account has while it has numbers of its own.
pub(super) fn overridden(overrides: Overrides) -> Vec<(&'static str, u64)> {
    let Overrides { burst, priority, max_pixels } = overrides;
    [
        ("burst_per_minute", burst.map(|burst| burst.per_minute.into())),
        ("burst_size", burst.map(|burst| burst.size.into())),
        ("priority", priority.map(u64::from)),
        ("max_pixels", max_pixels),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
