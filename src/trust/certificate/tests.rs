use super::*;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};

const DAY: i64 = 86_400;

/// 2026-03-01T00:00:00Z.
const MARCH: i64 = 1_772_323_200;

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 3, 1);
    params.not_after = rcgen::date_time_ymd(2026, 5, 30);
    params
}

#[test]
fn dates_and_names_are_read() {
    let key = KeyPair::generate().unwrap();
    let pem = params("a", &["gateway.example", "*.example.org", "192.0.2.1", "2001:db8::1"]).self_signed(&key).unwrap();
    let chain = Certificate::chain(pem.pem().as_bytes()).unwrap();
    assert_eq!(chain.len(), 1);
    assert_eq!((chain[0].not_before.0, chain[0].not_after.0), (MARCH, MARCH + 90 * DAY));
    assert_eq!(chain[0].names, ["gateway.example", "*.example.org", "192.0.2.1", "2001:db8::1"]);
    assert!(chain[0].names_itself_as_issuer());
}

#[test]
fn years_are_read_in_both_forms() {
    let key = KeyPair::generate().unwrap();
    for (from, to, year_from, year_to) in
        [(1950, 2049, -631_152_000, 2_493_072_000), (2050, 9999, 2_524_608_000, 253_370_764_800)]
    {
        let mut params = params("a", &["a"]);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let read = Certificate::read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!((read.not_before.0, read.not_after.0), (year_from, year_to), "{from}");
    }
}

#[test]
fn a_date_in_another_form_is_none() {
    for (tag, text, moment) in [
        (UTC_TIME, "260301000000Z", Some(UnixSeconds(MARCH))),
        (GENERALIZED_TIME, "20260301000000Z", Some(UnixSeconds(MARCH))),
        (GENERALIZED_TIME, "260301000000Z", None),
        (UTC_TIME, "20260301000000Z", None),
        (UTC_TIME, "2603010000Z", None),
        (UTC_TIME, "260301000000", None),
        (UTC_TIME, "260301000000+0000", None),
        (UTC_TIME, "26+301000000Z", None),
        (UTC_TIME, "261301000000Z", None),
        (UTC_TIME, "260230000000Z", None),
        (UTC_TIME, "260301000060Z", None),
        (UTC_TIME, "2603010000\u{e9}Z", None),
        (GENERALIZED_TIME, "20260301000000.5Z", None),
        (GENERALIZED_TIME, "+2026301000000Z", None),
        (OCTETS, "260301000000Z", None),
    ] {
        let der = [&[tag, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
        assert_eq!(Der(&der).moment(), moment, "{tag:#x} {text}");
    }
}

#[test]
fn a_chain_shows_who_issued_whom() {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params("root", &[]).self_signed(&root_key).unwrap();
    let leaf = params("leaf", &["a"]).signed_by(&key, &Issuer::new(params("root", &[]), &root_key)).unwrap();
    let chain = Certificate::chain(format!("{}{}", leaf.pem(), root.pem()).as_bytes()).unwrap();
    assert!(chain[0].names_as_issuer(&chain[1]) && !chain[1].names_as_issuer(&chain[0]));
    assert!(!chain[0].names_itself_as_issuer() && chain[1].names_itself_as_issuer());
}

#[test]
fn the_last_quarter_of_a_lifetime_is_near_its_end() {
    let certificate = Certificate {
        not_before: UnixSeconds(0),
        not_after: UnixSeconds(90 * DAY),
        names: Vec::new(),
        subject: Vec::new(),
        issuer: Vec::new(),
    };
    for (at, valid, near) in [
        (-1, false, false),
        (0, true, false),
        (67 * DAY, true, false),
        (68 * DAY, true, true),
        (90 * DAY, true, true),
        (90 * DAY + 1, false, true),
    ] {
        let at = UnixSeconds(at);
        assert_eq!((certificate.is_valid_at(at), certificate.is_near_its_end(at)), (valid, near), "{at:?}");
    }
}

#[test]
fn what_is_no_certificate_is_refused_wherever_it_is_cut_or_changed() {
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n"] {
        assert!(Certificate::chain(text.as_bytes()).is_err(), "{text}");
    }
    let damaged = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    assert_eq!(Certificate::chain(damaged.as_bytes()).unwrap_err().to_string(), "its certificate 1 is damaged");
    let whole = params("a", &["a"]).self_signed(&KeyPair::generate().unwrap()).unwrap();
    let der: &[u8] = whole.der();
    for length in 0..der.len() {
        assert_eq!(Certificate::read(&der[..length]), None, "cut to {length}");
        let mut changed = der.to_vec();
        changed[length] ^= 0xff;
        // Some bytes do not matter here, such as those of the signature; none may make it panic.
        let _ = Certificate::read(&changed);
    }
}

#[test]
fn a_key_fits_its_own_certificate_only() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = params("a", &["a"]).self_signed(&key).unwrap().pem();
    assert_eq!(belong_together(certificate.as_bytes(), key.serialize_pem().as_bytes()), Ok(()));
    assert!(belong_together(certificate.as_bytes(), other.serialize_pem().as_bytes()).is_err());
    assert!(belong_together(certificate.as_bytes(), certificate.as_bytes()).unwrap_err().contains("private key"));
}
