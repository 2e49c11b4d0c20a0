//! The combinations of labels that can occur. Their series exist from the start, so that a rate is 0 and not unknown.

use super::label::{
    CallerKind, OutcomeName, PANIC, Route, StatusClass, StoreResult, StoreVerb, StripeOutcome, StripeType,
};

/// What every route may answer, whoever asks.
const ALWAYS: &[&str] = &["too_fast", PANIC];

/// What may be wrong before a caller with an API key is known.
const OF_KEYS: &[&str] = &["key_and_token", "invalid_key", "email_not_verified", "store_unavailable"];

/// What may become of a picture, besides.
const OF_PICTURES: &[&str] = &[
    "served",
    "abandoned",
    "invalid",
    "malformed_form",
    "body_too_large",
    "too_many_pixels",
    "answer_too_large",
    "monthly_limit",
    "backend_failed",
    "timed_out",
    "queue_full",
    "backend_unavailable",
    "backend_account_exhausted",
    "no_room",
];

/// What may become of a picture whose caller needs no API key.
const OF_ANYBODY: &[&str] = &["invalid_token", "daily_limit"];

const OF_STRIPE: &[&str] =
    &["served", "bad_signature", "not_an_event", "not_found", "body_too_large", "no_room", "store_unavailable"];

/// The routes, each with an outcome that it may have.
pub(super) fn outcomes() -> impl Iterator<Item = (Route, OutcomeName)> {
    let of = |route: Route| -> Vec<&'static str> {
        let own: &[&[&str]] = match route {
            Route::Rmbg => &[OF_PICTURES, OF_KEYS, OF_ANYBODY, &["backend_refused"]],
            Route::RemoveBg => &[OF_PICTURES, OF_KEYS],
            // Without downloads its `GET` is answered 405.
            Route::Rembg => &[OF_PICTURES, OF_KEYS, OF_ANYBODY, &["method_not_allowed"]],
            Route::RemoveBgAccount => &[&["served"], OF_KEYS],
            Route::MembershipUsage => &[&["served", "invalid"], OF_KEYS],
            Route::StripeWebhook => &[OF_STRIPE],
            Route::Pages => &[&["served"]],
            Route::Other => &[&["not_found", "method_not_allowed"]],
        };
        [own, &[ALWAYS]].concat().concat()
    };
    Route::ALL.iter().flat_map(move |route| of(*route).into_iter().map(|name| (*route, OutcomeName::named(name))))
}

/// The routes, each with a class of status and a kind of caller that it may have together.
pub(super) fn requests() -> impl Iterator<Item = (Route, StatusClass, CallerKind)> {
    use CallerKind::{Anonymous, Api, App, Rejected};
    use StatusClass::{Abandoned, CallersFault, OurFault, Redirection, Success, TooMany};
    let of = |route: Route| -> (&[CallerKind], &[StatusClass]) {
        match route {
            Route::Rmbg | Route::Rembg => {
                (&[Api, App, Anonymous, Rejected], &[Success, CallersFault, TooMany, OurFault, Abandoned])
            }
            Route::RemoveBg => (&[Api, Rejected], &[Success, CallersFault, TooMany, OurFault, Abandoned]),
            Route::RemoveBgAccount | Route::MembershipUsage => {
                (&[Api, Rejected], &[Success, CallersFault, TooMany, OurFault])
            }
            Route::StripeWebhook => (&[Rejected], &[Success, CallersFault, TooMany, OurFault]),
            Route::Pages => (&[Rejected], &[Success, Redirection, TooMany, OurFault]),
            Route::Other => (&[Rejected], &[CallersFault, TooMany, OurFault]),
        }
    };
    Route::ALL.iter().flat_map(move |route| {
        let (callers, classes) = of(*route);
        let serves_nobody = matches!(route, Route::StripeWebhook | Route::Pages);
        let all = callers.iter().flat_map(move |caller| classes.iter().map(move |class| (*route, *class, *caller)));
        // Only a caller who is known is served, where there are callers.
        all.filter(move |(_, class, caller)| serves_nobody || (*class, *caller) != (Success, Rejected))
    })
}

/// The verbs of the store, each with a result that it may have.
pub(super) fn store_operations() -> impl Iterator<Item = (StoreVerb, StoreResult)> {
    use StoreResult::{Error, Ok, Refused, Unavailable};
    let of = |verb: StoreVerb| -> &[StoreResult] {
        match verb {
            StoreVerb::Hold | StoreVerb::Keep | StoreVerb::Release | StoreVerb::PutAccount | StoreVerb::Stripe => {
                &[Ok, Refused, Unavailable, Error]
            }
            StoreVerb::Caller
            | StoreVerb::Account
            | StoreVerb::Usage
            | StoreVerb::TouchKeys
            | StoreVerb::HoldsOpen
            | StoreVerb::Ping => &[Ok, Unavailable, Error],
        }
    };
    StoreVerb::ALL.iter().flat_map(move |verb| of(*verb).iter().map(|result| (*verb, *result)))
}

/// The types of Stripe's events, each with an outcome that it may have.
pub(super) fn stripe_events() -> impl Iterator<Item = (StripeType, StripeOutcome)> {
    use StripeOutcome as Is;
    let of = |kind: StripeType| -> Vec<StripeOutcome> {
        let own: &[StripeOutcome] = match kind {
            StripeType::Subscription => &[Is::NoPeriod],
            StripeType::InvoicePaid => &[Is::NoPeriod, Is::StartsNoPeriod],
            StripeType::Checkout => &[Is::NotPaid, Is::NoCredits],
            StripeType::Refund | StripeType::FailedRefund | StripeType::Dispute => &[Is::ByPolicy, Is::NoPayment],
            StripeType::Other => return vec![Is::OtherType, Is::Connect, Is::StoreUnavailable],
        };
        [own, &[Is::Applied, Is::Duplicate, Is::Parked, Is::StoreUnavailable, Is::Connect]].concat()
    };
    StripeType::ALL.iter().flat_map(move |kind| of(*kind).into_iter().map(|outcome| (*kind, outcome)))
}

/// Fields and parameters, each with the rules that they may break.
pub(super) fn complaints() -> impl Iterator<Item = (&'static str, &'static str)> {
    const NUMBER: &[&str] = &["not_an_integer", "below_range", "above_range"];
    const PICTURE: &[&str] = &["too_large", "unsupported_type", "unreadable", "too_many_pixels"];
    const TABLE: &[(&[&str], &[&str])] = &[
        // The contract's own form.
        (&["image"], &["missing", "no_file", "empty", "too_wide", "too_tall", "conflict", "no_foreground"]),
        (&["image", "background"], PICTURE),
        (&["w", "h"], NUMBER),
        (&["angle"], &["not_a_number", "outside_range"]),
        (&["mask", "exact_resize", "expand"], &["not_a_boolean"]),
        (&["mask"], &["conflict"]),
        // The reports.
        (&["year", "month"], &["not_an_integer", "outside_range"]),
        (&["periodStartUnix"], NUMBER),
        (&["periodStartUnix"], &["conflict"]),
        // The dialects.
        (&["file"], &["missing"]),
        (&["model", "om", "bgc", "url"], &["invalid"]),
        (&["extras", "add_shadow", "shadow_type", "image_url", "bg_image_url"], &["not_accepted"]),
        (&["url", "image_url", "bg_image_url"], &["not_fetched"]),
        (&["image_url", "bg_image_url"], &["not_a_url"]),
        (&["background"], &["conflict"]),
        (&["size", "channels", "crop", "crop_margin", "scale", "position", "semitransparency"], &["invalid"]),
        (&["format", "bg_color", "add_shadow"], &["invalid"]),
        (&["roi"], &["invalid", "empty", "outside_range"]),
    ];
    let pairs = |(fields, rules): &'static (&[&'static str], &[&'static str])| {
        fields.iter().flat_map(|field| rules.iter().map(|rule| (*field, *rule)))
    };
    TABLE.iter().flat_map(pairs)
}
