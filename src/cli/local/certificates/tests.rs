use super::*;
use crate::cli::finding::Verdict;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use std::path::PathBuf;

/// 2026-03-01 and 2026-05-30 in seconds.
const FIRST: i64 = 1_772_323_200;
const LAST: i64 = FIRST + 90 * DAY;

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 3, 1);
    params.not_after = rcgen::date_time_ymd(2026, 5, 30);
    params
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn found(&self, chain: &str, key: &str, now: i64, public_url: Option<&str>) -> Vec<Finding> {
        let mut config = Config::default();
        config.listen.tls_cert = Some(self.write("cert.pem", chain));
        config.listen.tls_key = Some(self.write("key.pem", key));
        config.pages.public_url = public_url.map(str::to_owned);
        look(&config, UnixSeconds(now))
    }
}

fn the_only(findings: &[Finding]) -> (Verdict, &str) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].verdict, &findings[0].says)
}

#[test]
fn dates_names_pairs_and_chains_are_judged() {
    let files = Files::new();
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params("root", &[]).self_signed(&root_key).unwrap().pem();
    let issuer = Issuer::new(params("root", &[]), &root_key);
    let leaf = params("leaf", &["gw.example", "*.w.example"]).signed_by(&key, &issuer).unwrap().pem();
    let nameless = params("leaf", &[]).signed_by(&key, &issuer).unwrap().pem();
    let (chain, secret) = (format!("{leaf}{root}"), key.serialize_pem());
    for (chain, secret, now, url, verdict, words) in [
        (&chain, &secret, FIRST, None, Verdict::Ok, "is for gw.example, *.w.example, valid until 2026-05-30"),
        (&leaf, &secret, FIRST, Some("https://a.w.example"), Verdict::Ok, "is for gw.example"),
        (&leaf, &secret, FIRST, Some("https://b.a.w.example"), Verdict::Warn, "names b.a.w.example"),
        (&leaf, &secret, FIRST - 1, None, Verdict::Fail, "is not valid before 2026-03-01"),
        (&leaf, &secret, LAST + 1, None, Verdict::Fail, "has expired on 2026-05-30"),
        (&leaf, &secret, LAST - 20 * DAY, None, Verdict::Warn, "in 20 days: less than a quarter"),
        (&nameless, &secret, FIRST, None, Verdict::Fail, "is for no name"),
        (&format!("{leaf}{leaf}"), &secret, FIRST, None, Verdict::Warn, "certificate 2 has not issued certificate 1"),
    ] {
        let findings = files.found(chain, secret, now, url);
        let (found, says) = the_only(&findings);
        assert!(found == verdict && says.contains(words), "{words}: {findings:?}");
        assert_eq!(findings[0].cure.is_some(), verdict != Verdict::Ok);
    }
    let mixed = files.found(&chain, &root_key.serialize_pem(), FIRST, None);
    assert!(mixed.iter().any(|one| one.verdict == Verdict::Fail && one.says.contains("are no pair")), "{mixed:?}");
    let turned = files.found(&format!("{root}{leaf}"), &secret, FIRST, None);
    assert!(turned.iter().any(|one| one.says.contains("has not issued")), "{turned:?}");
    let nothing = files.found("nothing", &secret, FIRST, None);
    assert!(nothing.iter().all(|one| one.verdict == Verdict::Fail) && nothing.len() == 2, "{nothing:?}");
}

#[test]
fn files_that_are_away_or_open_to_everybody_are_told() {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let leaf = params("leaf", &["a"]).self_signed(&key).unwrap().pem();
    let mut config = Config::default();
    config.listen.tls_cert = Some(files.write("cert.pem", &leaf));
    config.listen.tls_key = Some("/no/such/key.pem".into());
    let found = look(&config, UnixSeconds(FIRST));
    assert!(found[0].verdict == Verdict::Fail && found[0].says.starts_with("listen.tls_key /no/such"), "{found:?}");
    let open = files.write("key.pem", &key.serialize_pem());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    config.listen.tls_key = Some(open);
    let found = look(&config, UnixSeconds(FIRST));
    assert!(found[0].verdict == Verdict::Warn && found[0].says.contains("can be read by every user"), "{found:?}");

    let mut config = Config::default();
    config.backend.ca_file = Some(files.write("ca.pem", &leaf));
    assert_eq!(look(&config, UnixSeconds(FIRST)), []);
    let found = look(&config, UnixSeconds(LAST + 1));
    assert!(the_only(&found).1.starts_with("1 of the 1 authorities in backend.ca_file"), "{found:?}");
}
