//! Settings that are allowed and may not be intended.

use super::{
    BackendKind, Bytes, Config,
    check::SHORTEST_PEPPER,
    reference::{self, PREFIX},
};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::fmt;

/// The bytes of a BMP for each of its pixels, and the most for its headers.
const BMP_PIXEL: u64 = 4;
const BMP_HEADERS: u64 = 2 * 1024;

/// Pixels of the largest picture that the contract allows for: 10,000 x 10,000, turned by 45 degrees.
const LARGEST: u64 = 14_144 * 14_144;

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The setting's path, or a variable's name.
    pub path: String,
    /// The consequence. It never holds a secret's value.
    pub says: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.says)
    }
}

impl Config {
    /// The longest answer, in bytes, if answers are made here. The length of a service's answer is not known
    /// beforehand.
    #[must_use]
    pub fn longest_made(&self) -> Option<u64> {
        (self.backend.kind != BackendKind::Rmbg).then_some(self.limits.max_answer.0)
    }

    /// The warnings that `check` and `doctor` show.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        [
            self.answers_that_are_too_long(),
            self.proxy_that_is_not_named(),
            self.proxies_that_are_anybody(),
            self.peppers_that_are_one(),
        ]
        .into_iter()
        .flatten()
        .chain(self.variables_that_nothing_reads())
        .collect()
    }

    /// Commas divide the lists of other settings, but a pepper may hold some.
    fn peppers_that_are_one(&self) -> Option<Warning> {
        let [pepper] = self.auth.api_key.pepper.as_slice() else { return None };
        let mut parts = pepper.expose_secret().split(',').map(|part| part.trim().chars().count());
        let may_be_several = parts.clone().count() > 1 && parts.all(|length| length >= SHORTEST_PEPPER);
        let says = "is one pepper, with a comma in it. If you mean several, write a list: [\"NEW\", \"OLD\"]";
        may_be_several.then(|| Warning { path: "auth.api_key.pepper".into(), says: says.into() })
    }

    fn variables_that_nothing_reads(&self) -> impl Iterator<Item = Warning> {
        self.sources.strays.iter().map(|name| {
            let says = match reference::variable_meant_by(name) {
                Some(meant) => format!("is not read; did you mean {meant}?"),
                None => format!("is not read; settings begin with {PREFIX}, with two underscores"),
            };
            Warning { path: name.clone(), says }
        })
    }

    /// Callers on the internet use TLS. If a listener without it is open to other machines, there is probably a proxy
    /// in front, and every connection comes from that proxy and not from a caller.
    fn proxy_that_is_not_named(&self) -> Option<Warning> {
        let (listen, limits) = (&self.listen, &self.limits);
        let plain = if listen.tls_files().is_some() { listen.plain } else { Some(listen.public) };
        let reached = plain.is_some_and(|address| !address.ip().is_loopback());
        let named = !limits.trusted_proxies.is_empty() || !listen.proxy_protocol_from.is_empty();
        let says = "is empty, and other machines can reach a listener without TLS. If there is a proxy in front, name its network \
                    here; otherwise all of its callers share one client's limits";
        (reached && !named).then(|| Warning { path: "limits.trusted_proxies".into(), says: says.into() })
    }

    /// Some ways to write a network hold all of IPv4 and do not look like it, such as `::ffff:0:0/96`.
    fn proxies_that_are_anybody(&self) -> Option<Warning> {
        let everything = self.limits.trusted_proxies.iter().find(|network| network.is_everything())?;
        let says = format!(
            "has a network that is {everything}: every caller may claim any address, and no limit of a client holds. Name the \
             networks of the proxies"
        );
        Some(Warning { path: "limits.trusted_proxies".into(), says })
    }

    /// The length of a BMP follows from the number of its pixels alone.
    fn answers_that_are_too_long(&self) -> Option<Warning> {
        // This is the usual set-up, and such a BMP is rarely asked for.
        if self.backend.kind == BackendKind::Rmbg && self.backend.pixel_limit().is_none() {
            return None;
        }
        let pixels = self.backend.pixel_limit().unwrap_or(LARGEST);
        let longest = pixels.saturating_mul(BMP_PIXEL).saturating_add(BMP_HEADERS);
        let most = self.limits.max_answer;
        if longest <= most.0 {
            return None;
        }
        let allowed = match self.backend.pixel_limit() {
            Some(_) => format!("backend.max_pixels allows for pictures of {pixels} pixels"),
            None => format!("without backend.max_pixels, pictures may have {pixels} pixels"),
        };
        let follows = match self.backend.kind {
            BackendKind::Builtin | BackendKind::Rembg => "such a request is refused with 413",
            BackendKind::Rmbg => "such an answer, which the service may charge us for, is refused with 502",
        };
        let fits = (most.0.saturating_sub(BMP_HEADERS)) / BMP_PIXEL;
        let enough = Bytes(longest.div_ceil(1 << 20) << 20);
        let says = format!(
            "is {most}, but {allowed}: a BMP of more than {fits} pixels does not fit, and {follows}. {enough} is enough"
        );
        Some(Warning { path: "limits.max_answer".into(), says })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(kind: BackendKind, max_pixels: Option<u64>, max_answer: u64) -> String {
        let mut config = Config::default();
        config.backend.kind = kind;
        config.backend.max_pixels = max_pixels;
        config.limits.max_answer = Bytes(max_answer);
        config.warnings().iter().map(Warning::to_string).collect()
    }

    #[test]
    fn proxies_that_hold_every_address_are_warned_of_however_they_are_written() {
        for (network, warned) in [
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("::ffff:0:0/96", true),
            ("64:ff9b::/96", true),
            ("10.0.0.0/8", false),
        ] {
            let mut config = Config::default();
            config.limits.trusted_proxies = vec![network.parse().unwrap()];
            let warnings = config.warnings();
            assert_eq!(warnings.iter().any(|one| one.says.contains("any address")), warned, "{network}: {warnings:?}");
        }
    }

    #[test]
    fn nothing_is_to_be_warned_of_in_the_defaults() {
        assert_eq!(Config::default().warnings(), []);
    }

    #[test]
    fn a_listener_that_others_reach_without_tls_has_a_proxy_before_it() {
        let mut config = Config::default();
        config.listen.public = ([0, 0, 0, 0], 8080).into();
        let words = config.warnings().iter().map(Warning::to_string).collect::<String>();
        assert!(words.starts_with("limits.trusted_proxies: is empty"), "{words}");
        let named = "10.0.0.0/8".parse().unwrap();
        config.limits.trusted_proxies = vec![named];
        assert_eq!(config.warnings(), []);
        config.limits.trusted_proxies.clear();
        config.listen.proxy_protocol_from = vec![named];
        assert_eq!(config.warnings(), []);
        config.listen.proxy_protocol_from.clear();
        (config.listen.tls_cert, config.listen.tls_key) = (Some("cert".into()), Some("key".into()));
        assert_eq!(config.warnings(), [], "callers speak TLS here");
        config.listen.plain = Some(([192, 0, 2, 1], 8082).into());
        assert_eq!(config.warnings().len(), 1, "and somebody else does there");
    }

    #[test]
    fn a_picture_that_is_allowed_but_does_not_fit_as_a_bmp_is_warned_of() {
        let words = "limits.max_answer: is 128 MiB, but backend.max_pixels allows for pictures of 40000000 pixels: a BMP of \
                     more than 33553920 pixels does not fit, and such a request is refused with 413. 153 MiB is enough";
        for kind in [BackendKind::Builtin, BackendKind::Rembg] {
            assert_eq!(warned(kind, Some(40_000_000), 128 << 20), words, "{kind:?}");
            assert_eq!(warned(kind, Some(40_000_000), 153 << 20), "", "{kind:?}");
        }
    }

    #[test]
    fn without_a_limit_on_pixels_the_contracts_own_counts() {
        let words = warned(BackendKind::Builtin, Some(0), 128 << 20);
        assert!(words.contains("without backend.max_pixels, pictures may have 200052736 pixels"), "{words}");
        assert!(words.contains("764 MiB"), "{words}");
        assert_eq!(warned(BackendKind::Builtin, Some(0), 764 << 20), "");
    }

    #[test]
    fn of_a_service_only_a_limit_that_somebody_set_is_compared() {
        assert_eq!(warned(BackendKind::Rmbg, None, 128 << 20), "");
        assert!(warned(BackendKind::Rmbg, Some(40_000_000), 128 << 20).contains("502"));
        assert!(warned(BackendKind::Rembg, Some(u64::MAX), u64::MAX - 1).contains("max_answer"), "no overflow");
    }
}
