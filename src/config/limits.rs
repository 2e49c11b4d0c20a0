//! `[limits]`

use crate::domain::{
    client_address::{ForwardingHeader, TrustedProxies},
    network::Network,
    removebg::MOST_PIXELS,
    transfer::TransferRate,
};
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32, time::Duration};

/// `[limits]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct LimitsConfig {
    /// Memory that all bodies may take together.
    pub memory_budget: Bytes,
    /// Temporary files that all bodies may take together.
    pub spool_budget: Bytes,
    /// Memory for the pixels of pictures that are finished here.
    pub pixel_memory: Bytes,
    /// The longest answer of a backend that is read.
    pub max_answer: Bytes,
    /// Bytes of `spool_budget` that one client may hold; a quarter by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_per_client: Option<Bytes>,
    /// Bytes of `spool_budget` that one account may hold; half by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_per_account: Option<Bytes>,
    /// Seconds for the whole upload.
    pub upload_timeout_s: u64,
    /// Seconds that an upload or a download gets before its rate counts.
    pub transfer_grace_s: u64,
    /// Bytes a second, on average, below which a transfer is cut off.
    pub transfer_min_rate: Bytes,
    /// Connections at once, on the public listener.
    pub connections: u32,
    /// Connections at once from one client; trusted proxies have no such limit.
    pub connections_per_client: u32,
    /// Wrong keys and tokens a minute from one client. After that, its credentials are rejected unread.
    pub bad_credentials_per_minute: NonZeroU32,
    /// Requests at once from one client.
    pub in_flight_per_client: NonZeroU32,
    /// Networks of proxies that are trusted to name the client's address.
    pub trusted_proxies: Vec<Network>,
    /// The one header that they name it in: `x-forwarded-for` or `forwarded`.
    pub client_ip_header: ForwardingHeader,
}

impl LimitsConfig {
    /// The least memory in which any picture of so many pixels can be finished, with a background as large, whatever is
    /// asked for.
    #[must_use]
    pub fn least_pixel_memory(pixels: u64) -> Bytes {
        // Margins make a canvas larger than the picture.
        let result = pixels.saturating_mul(4).saturating_add(20_000_000).min(MOST_PIXELS);
        let resizing = pixels.saturating_mul(8).saturating_add(result * 12);
        Bytes(resizing.max(result * 16).saturating_add(16 << 20))
    }

    /// The slowest transfer that is accepted.
    #[must_use]
    pub fn transfer_rate(&self) -> TransferRate {
        TransferRate { grace: Duration::from_secs(self.transfer_grace_s), bytes_per_second: self.transfer_min_rate.0 }
    }

    /// Bytes of the spool budget that one client may hold.
    #[must_use]
    pub fn held_per_client(&self) -> u64 {
        self.held_per_client.map_or(self.spool_budget.0 / 4, |bytes| bytes.0)
    }

    /// Bytes of the spool budget that one account may hold.
    #[must_use]
    pub fn held_per_account(&self) -> u64 {
        self.held_per_account.map_or(self.spool_budget.0 / 2, |bytes| bytes.0)
    }

    /// Bytes of the spool budget that uploads leave to answers: a quarter, or one answer if that is more, but at most
    /// half.
    #[must_use]
    pub fn kept_for_answers(&self) -> u64 {
        let (all, answer) = (self.spool_budget.0, self.max_answer.0);
        answer.clamp(all / 4, all / 2)
    }

    /// The proxies that are trusted to name the client's address.
    #[must_use]
    pub fn proxies(&self) -> TrustedProxies {
        TrustedProxies { networks: self.trusted_proxies.clone(), header: self.client_ip_header }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            memory_budget: Bytes(256 << 20),
            spool_budget: Bytes(8 << 30),
            pixel_memory: Bytes(1536 << 20),
            max_answer: Bytes(160 << 20),
            held_per_client: None,
            held_per_account: None,
            upload_timeout_s: 300,
            transfer_grace_s: 30,
            transfer_min_rate: Bytes(16 << 10),
            connections: 8192,
            connections_per_client: 2048,
            bad_credentials_per_minute: const { NonZeroU32::new(60).unwrap() },
            in_flight_per_client: const { NonZeroU32::new(512).unwrap() },
            trusted_proxies: Vec::new(),
            client_ip_header: ForwardingHeader::XForwardedFor,
        }
    }
}

/// A number of bytes, written as a number or as text with a binary unit: `"256 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    /// In the largest unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(source) {
            Ok(Written::Number(bytes)) => Ok(Self(bytes)),
            Ok(Written::Text(text)) => parse(&text).ok_or_else(|| serde::de::Error::custom(complaint(&text))),
            Err(_) => Err(serde::de::Error::custom("expected a size such as \"256 MiB\" or a number of bytes")),
        }
    }
}

fn complaint(text: &str) -> String {
    format!("\"{text}\" is not a size; write a number of bytes, or one with KiB, MiB or GiB, such as \"256 MiB\"")
}

fn parse(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_leave_room_for_answers_and_have_room_themselves() {
        for (spool, answer, kept) in [(8 << 30, 128 << 20, 2 << 30), (256, 128, 128), (256, 100, 100), (256, 256, 128)]
        {
            let limits =
                LimitsConfig { spool_budget: Bytes(spool), max_answer: Bytes(answer), ..LimitsConfig::default() };
            assert_eq!(limits.kept_for_answers(), kept, "{spool} in all, {answer} an answer");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_may_be_written() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3 << 29, "1536 MiB"), (8 << 30, "8 GiB")]
        {
            assert_eq!(Bytes(bytes).to_string(), text);
            assert_eq!(parse(text), Some(Bytes(bytes)));
        }
    }

    #[test]
    fn sizes_are_read_with_binary_units_and_nothing_else() {
        for (text, bytes) in [("7", 7), ("7 B", 7), ("3KiB", 3072), ("2 MiB", 2 << 20), (" 1 GiB ", 1 << 30)] {
            assert_eq!(parse(text), Some(Bytes(bytes)), "{text}");
        }
        for text in ["", "MiB", "1 MB", "-1", "1.5 GiB", "99999999999 GiB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
