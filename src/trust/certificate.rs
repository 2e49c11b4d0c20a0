//! What an X.509 certificate says of itself: its dates, its names, who issued it. The signature is not checked here.

use crate::domain::time::UnixSeconds;
use jiff::civil;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    sign::CertifiedKey,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Tags of DER.
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The object identifier of the extension with a certificate's names: 2.5.29.17.
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

/// Why a file's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// It is not PEM, or there is no certificate in it.
    #[error("there is no certificate in it: {0}")]
    Nothing(pem::Error),
    /// A certificate of the chain, counted from 1, is none of X.509's form.
    #[error("its certificate {0} is damaged")]
    Damaged(usize),
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// It is valid from this second on.
    pub not_before: UnixSeconds,
    /// The last second at which it is valid.
    pub not_after: UnixSeconds,
    /// The DNS names (perhaps with a `*`) and addresses that it is for.
    pub names: Vec<String>,
    /// Its holder's and its issuer's distinguished names, in DER: for comparison.
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Certificate {
    /// Reads every certificate of a PEM file, in its order; at least one.
    pub fn chain(pem: &[u8]) -> Result<Vec<Self>, CertificateFault> {
        let all: Vec<CertificateDer<'_>> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(CertificateFault::Nothing)?;
        if all.is_empty() {
            return Err(CertificateFault::Nothing(pem::Error::NoItemsFound));
        }
        let read = |(at, der): (usize, &CertificateDer<'_>)| {
            Self::read(der).ok_or(CertificateFault::Damaged(at.saturating_add(1)))
        };
        all.iter().enumerate().map(read).collect()
    }

    /// Reads one certificate in DER; `None` if it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut whole = Der(Der(der).take(SEQUENCE)?);
        let mut fields = Der(whole.take(SEQUENCE)?);
        fields.take_if(VERSION);
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.to_vec();
        let mut dates = Der(fields.take(SEQUENCE)?);
        let (not_before, not_after) = (dates.moment()?, dates.moment()?);
        let subject = fields.take(SEQUENCE)?.to_vec();
        fields.take(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, contents)) = fields.next() {
            if tag == EXTENSIONS {
                names = alternative_names(Der(Der(contents).take(SEQUENCE)?))?;
            }
        }
        Some(Self { not_before, not_after, names, subject, issuer })
    }

    /// Whether `other` may have issued this one, by their names.
    #[must_use]
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    /// Whether it is its own issuer, by name: a root, or a certificate for tests.
    #[must_use]
    pub fn names_itself_as_issuer(&self) -> bool {
        self.names_as_issuer(self)
    }

    /// Whether `now` is within its dates.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixSeconds) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Whether less than a quarter of its lifetime is left, or nothing.
    #[must_use]
    pub fn is_near_its_end(&self, now: UnixSeconds) -> bool {
        let lifetime = self.not_after.0.saturating_sub(self.not_before.0);
        self.not_after.0.saturating_sub(now.0) < lifetime / 4
    }
}

/// Whether a PEM file's first certificate and a PEM file's private key belong together; the error says why not.
pub fn belong_together(certificates: &[u8], key: &[u8]) -> Result<(), String> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("there is no certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("there is no private key: {error}"))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map(drop).map_err(|error| error.to_string())
}

fn alternative_names(mut extensions: Der<'_>) -> Option<Vec<String>> {
    let mut found = Vec::new();
    while let Some((_, extension)) = extensions.next() {
        let mut extension = Der(extension);
        let id = extension.take(OID)?;
        extension.take_if(BOOLEAN);
        let value = extension.take(OCTETS)?;
        if id == ALTERNATIVE_NAMES {
            let mut names = Der(Der(value).take(SEQUENCE)?);
            while let Some((tag, name)) = names.next() {
                found.extend(match tag {
                    DNS_NAME => std::str::from_utf8(name).ok().map(str::to_owned),
                    IP_ADDRESS => address(name),
                    _ => None,
                });
            }
        }
    }
    Some(found)
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())).ok()
}

/// The rest of a run of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and contents; `None` at the end, and if it is cut off.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, short], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x84 => {
                let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                (long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    /// Passes the next value over if it has this tag.
    fn take_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// A date of RFC 5280: `YYMMDDHHMMSSZ` from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
    fn moment(&mut self) -> Option<UnixSeconds> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        // The numbers below would be read with a sign, too.
        let text = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let whole = match (tag, text.len()) {
            (UTC_TIME, 12) => format!("{}{text}", if text < "50" { "20" } else { "19" }),
            (GENERALIZED_TIME, 14) => text.to_owned(),
            _ => return None,
        };
        let part = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
        let year = whole.get(..4)?.parse().ok()?;
        let moment =
            civil::DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?, 0).ok()?;
        let epoch = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        Some(UnixSeconds(moment.duration_since(epoch).as_secs()))
    }
}

#[cfg(test)]
mod tests;
