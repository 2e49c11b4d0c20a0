use super::*;
use crate::domain::period::IntervalUnit;
use crate::stripe::samples::{APRIL, MARCH, Shape, body, event, invoice, merged, session, subscription, unix};
use serde_json::{Value, json};

fn read_subscription(object: &Value) -> Subscription {
    let read = event("evt_1", MARCH, "customer.subscription.updated", object);
    let EventKind::Subscription(subscription) = read.kind else { panic!("{read:?}") };
    subscription
}

fn read_invoice(object: &Value) -> Invoice {
    let read = event("evt_1", MARCH, "invoice.paid", object);
    let EventKind::InvoicePaid(invoice) = read.kind else { panic!("{read:?}") };
    invoice
}

const UPDATED: &str = "customer.subscription.updated";
const SPAN: Span = Span { start: UnixSeconds(MARCH), end: UnixSeconds(APRIL) };

#[test]
fn the_period_stands_on_the_subscription_or_on_its_items() {
    let old = read_subscription(&subscription(Shape::Acacia, "sub_1", "active", "price_premium", (MARCH, APRIL)));
    assert_eq!((old.span, old.items[0].span), (Some(SPAN), None));
    let new = read_subscription(&subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL)));
    assert_eq!((new.span, new.items[0].span), (None, Some(SPAN)));
    for read in [old, new] {
        assert_eq!((read.id.as_str(), read.status, read.anchor), ("sub_1", Status::Live, Some(unix(MARCH))));
        assert_eq!(read.items[0].interval, Some(Interval { unit: IntervalUnit::Month, count: 1 }));
        assert_eq!(read.items[0].prices, ["price_premium"]);
    }
}

#[test]
fn half_a_period_is_none() {
    let mut object = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL));
    object["items"]["data"][0]["current_period_end"] = Value::Null;
    object["current_period_end"] = APRIL.into();
    let read = read_subscription(&object);
    assert_eq!((read.span, read.items[0].span), (None, None), "never one's start with the other's end");
    let backwards = subscription(Shape::Acacia, "sub_1", "active", "price_premium", (APRIL, MARCH));
    assert_eq!(read_subscription(&backwards).span, None);
}

#[test]
fn every_status_is_read() {
    let object = |status| subscription(Shape::Basil, "sub_1", status, "price_premium", (MARCH, APRIL));
    for (status, expected) in [
        ("active", Status::Live),
        ("trialing", Status::Live),
        ("past_due", Status::PastDue),
        ("unpaid", Status::Suspended),
        ("paused", Status::Suspended),
        ("incomplete", Status::Incomplete),
        ("canceled", Status::Ended),
        ("incomplete_expired", Status::Ended),
    ] {
        assert_eq!(read_subscription(&object(status)).status, expected, "{status}");
    }
    let deleted = event("evt_1", MARCH, "customer.subscription.deleted", &object("active"));
    assert!(matches!(deleted.kind, EventKind::Subscription(Subscription { status: Status::Ended, .. })));
    let unheard_of = event("evt_1", MARCH, "customer.subscription.updated", &object("dreaming"));
    assert!(matches!(unheard_of.kind, EventKind::Other(_)));
}

#[test]
fn an_invoice_tells_the_period_of_its_lines_in_both_shapes() {
    for shape in [Shape::Acacia, Shape::Basil] {
        let read = read_invoice(&invoice(shape, "sub_1", "price_premium", (MARCH, APRIL)));
        assert_eq!(read.subscription.as_deref(), Some("sub_1"), "{shape:?}");
        assert!(read.starts_period);
        assert_eq!(read.lines.len(), 1);
        assert_eq!((read.lines[0].span, read.lines[0].prices.as_slice()), (Some(SPAN), &["price_premium".into()][..]));
    }
}

#[test]
fn prorations_and_other_lines_start_no_period() {
    let mut old = invoice(Shape::Acacia, "sub_1", "price_premium", (MARCH, APRIL));
    old["lines"]["data"][0]["proration"] = true.into();
    assert_eq!(read_invoice(&old).lines, []);
    let mut new = invoice(Shape::Basil, "sub_1", "price_premium", (MARCH, APRIL));
    new["lines"]["data"][0]["parent"]["subscription_item_details"]["proration"] = true.into();
    assert_eq!(read_invoice(&new).lines, []);
    new["lines"]["data"][0]["parent"] = json!({"type": "invoice_item_details"});
    assert_eq!(read_invoice(&new).lines, []);
    new["billing_reason"] = "subscription_update".into();
    assert!(!read_invoice(&new).starts_period);
}

fn owner(kind: &str, object: &Value) -> Owner {
    Owner::read(kind, Reader(object), unix(MARCH))
}

#[test]
fn metadata_names_whose_the_object_itself_is() {
    let metadata = json!({"metadata": {"uid": "by-metadata"}});
    let parent = json!({"parent": {"subscription_details": {"metadata": {"uid": "by-parent"}}}});
    let reference = json!({"client_reference_id": "by-reference"});
    let all = merged(merged(metadata, parent), reference);
    let said = |kind, object: &Value| {
        let Owner { metadata, reference, .. } = owner(kind, object);
        (metadata.map(String::from), reference.map(String::from))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(said("checkout.session.completed", &all), (text("by-metadata"), text("by-reference")));
    assert_eq!(said(UPDATED, &all), (text("by-metadata"), None));
    assert_eq!(said("charge.refunded", &all), (text("by-metadata"), None), "a charge has its payment's metadata");
    assert_eq!(said("invoice.paid", &all), (text("by-parent"), None));
    assert_eq!(said("charge.dispute.created", &all), (None, None), "a dispute's metadata is not its payment's");
    assert_eq!(said("refund.failed", &all), (None, None));
    for nobody in
        [json!({"uid": ""}), json!({"uid": "  "}), json!({"uid": "x".repeat(129)}), json!({"uid": 7}), json!(null)]
    {
        assert_eq!(owner(UPDATED, &json!({"metadata": nobody})).metadata, None, "no account has such an id");
    }
}

#[test]
fn an_invoice_knows_what_its_subscription_said_when_it_was_made() {
    assert_eq!(owner("invoice.paid", &json!({"created": MARCH - 9})).as_of, unix(MARCH - 9));
    assert_eq!(owner("invoice.paid", &json!({})).as_of, unix(MARCH));
    assert_eq!(owner(UPDATED, &json!({"created": MARCH - 9})).as_of, unix(MARCH), "it is as it is now");
}

#[test]
fn a_customer_may_be_expanded_or_null() {
    let customer = |object: Value| owner(UPDATED, &object).customer;
    assert_eq!(customer(json!({"customer": "cus_1"})).as_deref(), Some("cus_1"));
    assert_eq!(customer(json!({"customer": {"id": "cus_1", "object": "customer"}})).as_deref(), Some("cus_1"));
    assert_eq!(customer(json!({"customer": null, "customer_account": "acct_1"})).as_deref(), Some("acct_1"));
    assert_eq!(customer(json!({"customer": {"deleted": true}})), None);
}

#[test]
fn an_event_of_a_connected_account_says_so() {
    let mut event: Value = serde_json::from_slice(&body("evt_1", MARCH, UPDATED, &json!({}))).unwrap();
    event["account"] = "acct_1".into();
    assert_eq!(Event::parse(event.to_string().as_bytes()).unwrap().connected.as_deref(), Some("acct_1"));
}

#[test]
fn only_a_refund_that_did_not_come_about_is_one() {
    let read = |kind, status| {
        let object = json!({"id": "re_1", "payment_intent": "pi_1", "amount": 300, "status": status});
        event("evt_1", MARCH, kind, &object).kind
    };
    let failed = FailedRefund { id: "re_1".into(), payment: Some("pi_1".into()), amount: 300 };
    for kind in ["charge.refund.updated", "refund.updated", "refund.failed"] {
        for status in ["failed", "canceled"] {
            assert_eq!(read(kind, status), EventKind::FailedRefund(failed.clone()), "{kind} {status}");
        }
        assert_eq!(read(kind, "succeeded"), EventKind::Other(kind.into()));
    }
}

#[test]
fn a_session_is_paid_once_its_payment_is() {
    let paid = |more: Value| {
        let object = merged(session("cs_1", "pi_1", "500"), more);
        let read = event("evt_1", MARCH, "checkout.session.completed", &object);
        let EventKind::Checkout(session) = read.kind else { panic!("{read:?}") };
        session.paid
    };
    assert!(paid(json!({})));
    assert!(paid(json!({"payment_status": "no_payment_required"})));
    assert!(!paid(json!({"payment_status": "unpaid"})));
    assert!(!paid(json!({"mode": "subscription"})));
}

#[test]
fn a_disputes_money_is_gone_until_it_is_won() {
    for (status, taken, closed) in [
        ("warning_needs_response", false, false),
        ("needs_response", true, false),
        ("under_review", true, false),
        ("lost", true, true),
        ("won", false, true),
        ("warning_closed", false, true),
    ] {
        let object = json!({"id": "dp_1", "payment_intent": "pi_1", "status": status});
        let expected = Dispute { id: "dp_1".into(), payment: Some("pi_1".into()), taken, closed };
        assert_eq!(
            event("evt_1", MARCH, "charge.dispute.updated", &object).kind,
            EventKind::Dispute(expected),
            "{status}"
        );
    }
}

#[test]
fn what_is_no_event_is_refused_in_words() {
    let refused = |body: &[u8]| Event::parse(body).unwrap_err().to_string();
    assert!(refused(b"{").starts_with("the body is not JSON"));
    let thin = br#"{"id":"evt_1","object":"v2.core.event","type":"v1.billing.meter.error_report_triggered"}"#;
    assert_eq!(refused(thin), "this is a thin event (v2); configure the endpoint for snapshot events");
    for (body, missing) in [
        ("[]", "id"),
        ("{}", "id"),
        (r#"{"id":"evt_1","created":"soon"}"#, "created"),
        (r#"{"id":"evt_1","created":1}"#, "type"),
        (r#"{"id":"evt_1","created":1,"type":"x","data":{"object":null}}"#, "data.object"),
    ] {
        assert_eq!(refused(body.as_bytes()), format!("the body is not a Stripe event: it has no {missing}"));
    }
}

#[test]
fn fields_of_another_type_count_as_absent() {
    let unusual =
        json!({"id": "sub_1", "status": "active", "items": 7, "customer": 7, "metadata": [], "cancel_at": "soon"});
    let read = read_subscription(&unusual);
    assert_eq!((read.items, read.cancel_at), (Vec::new(), None));
    for kind in ["customer.subscription.updated", "checkout.session.completed", "charge.dispute.created", "payout.paid"]
    {
        let read = Event::parse(&body("evt_1", MARCH, kind, &json!({"id": 7}))).unwrap();
        assert_eq!(read.kind, EventKind::Other(kind.into()));
    }
}
