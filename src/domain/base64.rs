//! Base64 in pieces of any length: decoded as a caller's text arrives, encoded as an answer leaves.

#[cfg(test)]
mod tests;

/// Bytes of the longest beginning of a `data:` address, up to its comma.
pub const DATA_ADDRESS: usize = 128;

/// How a `data:` address begins.
const SCHEME: &[u8] = b"data:";

/// What the last part of such a beginning must be.
const CODING: &[u8] = b";base64";

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text is no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no base64")]
pub struct NotBase64;

/// Decodes a text that arrives in pieces: base64 of either alphabet, with or without padding, broken into lines or not, in
/// a `data:` address or not.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// What a blank stands for. Clients that do not escape a form send `+`, which then reads as a blank.
    blank: Option<u8>,
}

#[derive(Clone, Debug)]
enum State {
    /// At the start, as long as it may be that of a `data:` address.
    Start(Vec<u8>),
    Code {
        /// The bits that no byte has been made of yet.
        bits: u32,
        count: u32,
        padded: bool,
    },
}

impl Decoder {
    /// A decoder at the start of a text.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Start(Vec::new()), blank: None }
    }

    /// The same for a text of an urlencoded form.
    #[must_use]
    pub fn of_form() -> Self {
        Self { blank: Some(b'+'), ..Self::new() }
    }

    /// Takes the next piece of the text and appends what it says to `decoded`.
    pub fn push(&mut self, text: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        let State::Start(start) = &mut self.state else { return self.code(text, decoded) };
        for (at, byte) in text.iter().enumerate() {
            if start.is_empty() && byte.is_ascii_whitespace() {
                continue;
            }
            start.push(*byte);
            let in_scheme = start.len().min(SCHEME.len());
            if !start[..in_scheme].eq_ignore_ascii_case(&SCHEME[..in_scheme]) {
                let code = std::mem::take(start);
                self.state = State::Code { bits: 0, count: 0, padded: false };
                self.code(&code, decoded)?;
                return self.code(&text[at + 1..], decoded);
            }
            if *byte == b',' {
                let coding =
                    start.len().checked_sub(1 + CODING.len()).and_then(|from| start.get(from..start.len() - 1));
                if !coding.is_some_and(|coding| coding.eq_ignore_ascii_case(CODING)) {
                    return Err(NotBase64);
                }
                self.state = State::Code { bits: 0, count: 0, padded: false };
                return self.code(&text[at + 1..], decoded);
            }
            if start.len() > DATA_ADDRESS {
                return Err(NotBase64);
            }
        }
        Ok(())
    }

    /// Whether the text may end here. What has been pushed until now and not been decoded is decoded.
    pub fn finish(mut self, decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        if let State::Start(start) = &mut self.state {
            let start = std::mem::take(start);
            self.state = State::Code { bits: 0, count: 0, padded: false };
            self.code(&start, decoded)?;
        }
        // Six bits alone are no byte.
        match self.state {
            State::Code { count: 6, .. } => Err(NotBase64),
            State::Code { .. } | State::Start(_) => Ok(()),
        }
    }

    fn code(&mut self, text: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        let State::Code { bits, count, padded } = &mut self.state else { return Err(NotBase64) };
        decoded.reserve(text.len() / 4 * 3 + 3);
        for byte in text {
            let byte = if *byte == b' ' { self.blank.unwrap_or(*byte) } else { *byte };
            match six_bits(byte) {
                Some(six) if !*padded => {
                    *bits = (*bits << 6 | u32::from(six)) & 0xffff;
                    *count += 6;
                    if *count >= 8 {
                        *count -= 8;
                        decoded.push((*bits >> *count & 0xff).to_le_bytes()[0]);
                    }
                }
                None if byte == b'=' => *padded = true,
                None if byte.is_ascii_whitespace() => {}
                Some(_) | None => return Err(NotBase64),
            }
        }
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The value of a letter of either alphabet.
fn six_bits(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Encodes bytes that come in pieces, in the standard alphabet, with padding.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoder {
    /// Bytes that wait for others: letters are made of three.
    waiting: [u8; 2],
    count: usize,
}

impl Encoder {
    /// The text of the next bytes, as far as whole groups of three go.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity((bytes.len() + self.count) / 3 * 4);
        let mut rest = bytes;
        if self.count > 0 {
            let missing = (3 - self.count).min(rest.len());
            let (first, behind) = rest.split_at(missing);
            let mut three = [0; 3];
            three[..self.count].copy_from_slice(&self.waiting[..self.count]);
            three[self.count..self.count + missing].copy_from_slice(first);
            if self.count + missing < 3 {
                self.waiting = [three[0], three[1]];
                self.count += missing;
                return text;
            }
            text.extend_from_slice(&letters(three));
            (self.count, rest) = (0, behind);
        }
        let groups = rest.chunks_exact(3);
        let left = groups.remainder();
        for group in groups {
            text.extend_from_slice(&letters([group[0], group[1], group[2]]));
        }
        self.waiting[..left.len()].copy_from_slice(left);
        self.count = left.len();
        text
    }

    /// The text of the last bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match (self.count, self.waiting) {
            (1, [one, _]) => [&letters([one, 0, 0])[..2], b"=="].concat(),
            (2, [one, two]) => [&letters([one, two, 0])[..3], b"="].concat(),
            _ => Vec::new(),
        }
    }
}

/// Letters that so many bytes become, padding included.
#[must_use]
pub fn encoded_length(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

fn letters([one, two, three]: [u8; 3]) -> [u8; 4] {
    let word = u32::from_be_bytes([0, one, two, three]);
    [18, 12, 6, 0].map(|shift| LETTERS[(word >> shift & 63) as usize])
}
