//! Commands as an operator types them, and their reports.

mod checks;

use super::*;
use crate::{clock::Clock, domain::time::UnixSeconds};
use clap::CommandFactory as _;
use serde_json::{Value, json};
use std::sync::{Arc, atomic::AtomicI64};

const NOW: UnixSeconds = UnixSeconds(1_774_268_612);

/// An operator with a store of their own.
struct Operator {
    session: Session,
    folder: tempfile::TempDir,
}

impl Operator {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.url = format!("sqlite:{}", folder.path().join("gateway.db").display());
        config.listen.public.set_port(0);
        config.listen.admin.set_port(0);
        let clock = Clock::Turned(Arc::new(AtomicI64::new(NOW.micros().0)));
        Self { session: Session { config, clock }, folder }
    }

    async fn types(&self, line: &str) -> Report {
        self.tries(line, "").await.unwrap_or_else(|failure| panic!("{line}: {failure}"))
    }

    async fn tries(&self, line: &str, input: &str) -> Result<Report, Failure> {
        let words = std::iter::once("rembg-gateway").chain(line.split(' '));
        match Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).command {
            Command::User(command) => command.run(&self.session).await,
            Command::Key(command) => command.run(&self.session, &mut input.as_bytes()).await,
            Command::Credits(command) => command.run(&self.session).await,
            Command::Stripe(command) => command.run(&self.session).await,
            Command::Store(command) => command.run(&self.session).await,
            Command::Usage(command) => command.run(&self.session).await,
            Command::Audit(command) => command.run(&self.session).await,
            Command::Check => check::run(&self.session),
            Command::Config => settings::run(&self.session),
            Command::Doctor => doctor::run(&self.session).await,
            Command::Ready => ready::run(&self.session).await,
            Command::Serve => panic!("not in these tests"),
        }
    }
}

fn value(report: Report) -> Value {
    report.value.unwrap()
}

#[test]
fn the_arguments_make_sense_to_clap() {
    Arguments::command().debug_assert();
}

#[test]
fn wrong_arguments_exit_64_and_help_exits_0() {
    let code = |line: &str| format!("{:?}", parse(line.split(' ').map(Into::into)).unwrap_err());
    for line in
        ["g", "g frobnicate", "g credits grant 42 5", "g user add 42 --credits -1", "g key create 42 --expires x"]
    {
        assert_eq!(code(line), format!("{:?}", ExitCode::from(64)), "{line}");
    }
    assert_eq!(code("g --version"), format!("{:?}", ExitCode::SUCCESS));
}

#[tokio::test]
async fn an_account_is_made_then_changed_and_the_words_say_which() {
    let operator = Operator::new();
    let made = operator.types("user add 42 --plan Premium-20000 --credits 18500 --prepaid 2000").await;
    assert_eq!(
        made.words,
        "Account 42 is made: plan Premium-20000, 18500 included credits, 2000 prepaid, e-mail verified."
    );
    assert_eq!(
        value(made),
        json!({"uid": "42", "membership": "Premium-20000", "credits": 18500, "prepaid": 2000, "email_verified": true,
               "burst": null, "priority": null, "max_pixels": null, "billing_period": null, "created": true, "prepaid_granted": true})
    );
    let again = operator.types("user add 42 --prepaid 2000 --email-verified false").await;
    assert_eq!(
        again.words,
        "Account 42 is now: plan Premium-20000, 18500 included credits, 2000 prepaid, e-mail not \
         verified.\nIts first prepaid credits were granted before, so nothing was added. To add more: credits grant."
    );
}

#[tokio::test]
async fn a_key_is_made_listed_and_revoked() {
    let operator = Operator::new();
    operator.types("user add 42").await;
    let made = operator.types("key create 42 --name laptop --expires 2026-12-31").await;
    let words = made.words.clone();
    let made = value(made);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(made.as_object().unwrap().len(), 2);
    assert!(key.starts_with("rgw_live_") && words.ends_with(key), "{words}");

    let listed = operator.types("key list 42").await.words;
    assert!(listed.contains("laptop") && listed.contains("2026-03-23  live until 2026-12-31"), "{listed}");
    assert!(!listed.contains(key), "{listed}");
    operator.types(&format!("key revoke {id}")).await;
    assert!(operator.types("key list 42").await.words.contains("revoked 2026-03-23"));
}

#[tokio::test]
async fn a_key_may_have_networks_and_a_cap_and_an_account_numbers_of_its_own() {
    let operator = Operator::new();
    let made = operator.types("user add 42 --burst 90/30").await;
    assert!(made.words.ends_with("Its own short-term limit: 90 a minute, 30 at once."), "{}", made.words);
    let made = operator.types("user add 42 --priority 3 --max-pixels 40000000").await;
    let own = "30 at once.\nIts own priority: 3.\nIts own limit on pictures: 40000000 pixels.";
    assert!(made.words.ends_with(own), "{}", made.words);
    let made = value(made);
    assert_eq!(
        (&made["burst"]["size"], &made["priority"], &made["max_pixels"]),
        (&json!(30), &json!(3), &json!(40_000_000))
    );
    operator.types("key create 42 --network 10.0.0.0/8 --network 2001:db8::1 --monthly-cap 500").await;
    let listed = operator.types("key list 42").await;
    assert!(listed.words.contains("never") && listed.words.ends_with("0 of 500"), "{}", listed.words);
    let listed = value(listed);
    assert_eq!(listed[0]["networks"], json!(["10.0.0.0/8", "2001:db8::1/128"]));
    assert_eq!(listed[0]["monthly_cap"], 500);
    for line in [
        "g key create 42 --network ten",
        "g user add 42 --burst 60",
        "g user add 42 --burst 0/5",
        "g user add 42 --priority 256",
        "g user add 42 --burst 1000001/5",
        "g user add 42 --burst 60000001/5",
        "g user add 42 --burst 60/1000001",
        "g user add 42 --burst 60/4294967296",
        "g user add 42 --credits 9007199254740992",
        "g user add 42 --prepaid 4294967296",
        "g key create 42 --monthly-cap 9007199254740992",
        "g key create 42 --expires 10000-01-01",
        "g credits grant 42 9007199254740992 --id a",
        "g credits grant 42 -9223372036854775808 --id a",
        "g user add 42 --max-pixels 9223372036854775808",
    ] {
        assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[tokio::test]
async fn a_key_is_imported_from_the_first_line_of_the_input() {
    let operator = Operator::new();
    operator.types("user add 42").await;
    let uuid = "6f1c2a34-9b7e-4c55-8a10-0f3d5e7c9b21";
    let report = operator.tries("key import 42", &format!("  {uuid}\r\nmore\n")).await.unwrap();
    assert!(report.words.starts_with("Key …9b21 now opens account 42: key_"), "{}", report.words);
    assert!(!report.words.contains(uuid) && !value(report).to_string().contains(uuid));
    for input in ["", "\n", "too short"] {
        assert_eq!(operator.tries("key import 42", input).await.unwrap_err().exit_code(), 1, "{input:?}");
    }
}

#[tokio::test]
async fn a_grant_is_made_once_under_its_name_and_can_be_taken_back() {
    let operator = Operator::new();
    operator.types("user add 42").await;
    assert_eq!(
        operator.types("credits grant 42 500 --id inv-7").await.words,
        "Account 42 has 500 prepaid credits now."
    );
    assert_eq!(
        operator.types("credits grant 42 500 --id inv-7").await.words,
        "inv-7 was granted before, so nothing has changed. After it, account 42 had 500 prepaid credits."
    );
    let back = operator.types("credits grant 42 -200 --id back-7").await;
    assert_eq!(value(back), json!({"prepaid": 300, "repeated": false}));
}

#[tokio::test]
async fn usage_is_a_table_of_all_or_one_account_with_its_keys() {
    let operator = Operator::new();
    operator.session.store_or_new().await.unwrap();
    assert!(operator.types("usage").await.words.starts_with("There are no accounts."));
    operator.types("user add someone --plan Premium-20000 --prepaid 7").await;
    operator.types("user add 42").await;
    assert_eq!(
        operator.types("usage").await.words,
        "Used in 2026-03 (UTC)\n\n\
         ACCOUNT  PLAN           INCLUDED  APP  API  PREPAID   LEFT\n\
         42       Free                 50    0    0        0     50\n\
         someone  Premium-20000     20000    0    0        7  20007"
    );
    operator.types("key create 42 --name laptop").await;
    let one = operator.types("usage 42").await;
    assert!(one.words.contains("laptop"), "{}", one.words);
    let one = value(one);
    assert_eq!((&one["remaining"], &one["keys"][0]["used_this_month"]), (&json!(50), &json!(0)));
}

#[tokio::test]
async fn a_clean_audit_says_so() {
    let operator = Operator::new();
    operator.types("user add 42 --prepaid 5").await;
    let report = operator.types("audit").await;
    assert!(report.good);
    assert_eq!(report.words, "Every counter is what the ledger adds up to (accounts: 1, ledger entries: 1).");
}

#[tokio::test]
async fn a_spoilt_number_is_named_beside_the_other_accounts_and_can_be_set() {
    let operator = Operator::new();
    operator.types("user add 42 --prepaid 5").await;
    operator.types("user add 43 --prepaid 7").await;
    let file = operator.folder.path().join("gateway.db");
    let spoil = "UPDATE accounts SET prepaid = 9223372036854775807 WHERE uid = '42'";
    rusqlite::Connection::open(file).unwrap().execute_batch(spoil).unwrap();

    let audit = operator.types("audit").await;
    assert!(!audit.good);
    assert_eq!(
        audit.words,
        "Every other counter is what the ledger adds up to (accounts: 2, ledger entries: 2).\n\n\
         These are not whole numbers, so their accounts are refused:\n\n\
         ACCOUNT  KEY                                   STANDS\n\
         42       user:42 prepaid_credits  9223372036854775807\n\n\
         Set each with: rembg-gateway audit --mend ACCOUNT 'KEY' N"
    );
    let usage = operator.types("usage").await;
    assert!(!usage.good && usage.words.contains("43"), "{}", usage.words);
    assert_eq!(operator.tries("usage 42", "").await.unwrap_err().exit_code(), 1);

    for (line, code) in [
        ("audit --mend 42 holds 5", 1),
        ("audit --mend nobody prepaid 5", 1),
        ("audit --mend 42 credits -5", 1),
        ("audit --mend 42 prepaid many", 64),
        ("audit --mend 42 prepaid 9007199254740992", 64),
    ] {
        assert_eq!(operator.tries(line, "").await.unwrap_err().exit_code(), code, "{line}");
    }
    assert!(operator.types("audit --mend 42 prepaid_credits 6").await.good);
    assert!(operator.types("audit").await.good && operator.types("usage").await.good);
    assert_eq!(value(operator.types("usage 42").await)["prepaid"], 6);
}

#[tokio::test]
async fn only_commands_that_may_make_a_store_do() {
    let operator = Operator::new();
    for line in [
        "usage",
        "usage 42",
        "audit",
        "key list 42",
        "key create 42",
        "key import 42",
        "key revoke key_x",
        "credits grant 42 5 --id a",
        "stripe parked",
        "stripe forget evt_1",
        "store backup copy.db",
    ] {
        let failure = operator.tries(line, "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de").await.unwrap_err();
        let path = operator.folder.path().join("gateway.db");
        assert_eq!(failure.to_string(), format!("there is no store at {}", path.display()), "{line}");
        assert!(failure.hint().unwrap().contains("--config") && failure.exit_code() == 1, "{line}");
    }
    operator.types("check").await;
    operator.types("config").await;
    operator.types("doctor").await;
    assert_eq!(std::fs::read_dir(operator.folder.path()).unwrap().count(), 0, "one of them made something");
    operator.types("user add 42").await;
    assert!(operator.types("usage").await.good);
}

fn verdict_of(report: &Report, subject: &str) -> String {
    let findings = report.value.as_ref().unwrap()["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|finding| finding["subject"] == subject);
    found.unwrap_or_else(|| panic!("{subject}"))["verdict"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn parked_events_are_listed_and_the_doctor_warns_of_them() {
    let operator = Operator::new();
    operator.session.store_or_new().await.unwrap();
    let none = operator.types("stripe parked").await;
    assert_eq!((none.words.as_str(), none.value), ("No event is parked.", Some(json!([]))));
    let event = crate::store::ParkedEvent {
        id: "evt_1".into(),
        created: NOW,
        about: "refund".into(),
        reason: "no_account".into(),
        aliases: vec!["cus_1".into(), "pi_1".into()],
        event: "what nobody shall see".into(),
    };
    operator.session.store().await.unwrap().park(&event).await.unwrap();
    let listed = operator.types("stripe parked").await;
    assert!(listed.words.contains("evt_1  2026-03-23  refund  no_account  cus_1 pi_1"), "{}", listed.words);
    assert!(listed.words.contains("no_account: set metadata.uid"), "{}", listed.words);
    let expected = json!([{
        "id": "evt_1", "created": NOW.0, "about": "refund", "reason": "no_account", "aliases": ["cus_1", "pi_1"],
    }]);
    assert_eq!(listed.value, Some(expected));
    let findings = value(operator.types("doctor").await);
    let findings = findings["findings"].as_array().unwrap();
    let warned = findings.iter().find(|finding| finding["subject"] == "stripe").unwrap();
    assert_eq!(warned["verdict"], "warn");
    for (says, known) in [("evt_1 is forgotten.", true), ("evt_1 is not parked.", false)] {
        let forgotten = operator.types("stripe forget evt_1").await;
        assert_eq!((forgotten.words.as_str(), forgotten.good), (says, known));
    }
    assert_eq!(value(operator.types("stripe parked").await), json!([]));
}

#[tokio::test]
async fn a_payment_is_moved_and_a_grant_keeps_its_number() {
    let operator = Operator::new();
    for uid in ["41", "42"] {
        operator.types(&format!("user add {uid} --plan Free")).await;
    }
    let sold = json!({
        "id": "evt_1", "object": "event", "created": NOW.0, "type": "checkout.session.completed",
        "data": {"object": {
            "id": "cs_1", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_1", "customer": "cus_1",
            "client_reference_id": "41", "metadata": {"credits": "70"},
        }},
    });
    let (store, config) = (operator.session.store().await.unwrap(), &operator.session.config);
    let intake = crate::stripe::intake::Intake::new(store, config, operator.session.clock.clone());
    let event = crate::stripe::event::Event::parse(sold.to_string().as_bytes()).unwrap();
    intake.take(event, &mut crate::stripe::intake::Taken::default()).await.unwrap();
    let moved = operator.types("stripe move pi_1 --to 42").await;
    assert_eq!(moved.words, "pi_1 has moved from account 41 to account 42.");
    assert_eq!(value(moved), json!({"moved": [{"id": "pi_1", "from": "41", "to": "42"}]}));
    let again = operator.types("stripe move cus_1 --to 42").await;
    assert!(again.words.starts_with("pi_1 already belongs to account 42"), "{}", again.words);
    let unheard_of = operator.tries("stripe move sub_1 --to 42", "").await.unwrap_err();
    assert!(unheard_of.to_string().starts_with("no event about sub_1 has come"), "{unheard_of}");

    let nothing = operator.types("credits grant 42 0 --id gift").await;
    assert!(nothing.words.contains("the id gift can still be used"), "{}", nothing.words);
    assert_eq!(value(operator.types("credits grant 42 5 --id gift").await)["prepaid"], 75);
    let other = operator.tries("credits grant 42 6 --id gift", "").await.unwrap_err();
    assert_eq!(other.to_string(), "gift has been used already, to grant 5 credits");
    assert_eq!(other.exit_code(), 1);
    operator.types("user add 41 --prepaid 5").await;
    let more = operator.types("user add 41 --prepaid 6").await;
    assert!(more.words.contains("were granted before"), "{}", more.words);
}
