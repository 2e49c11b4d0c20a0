//! Whole numbers as other software may write them. Values under documented names are read by these rules alone.

use super::Fault;

/// Counts and balances stay below this: beyond it, neither a script nor a reader of JSON has whole numbers.
pub(super) const MOST: i64 = 1 << 53;

/// The most digits that a number with an exponent may have, so that no fraction is rounded away.
const DIGITS: usize = 15;

/// The whole number that a text spells in whatever way (`12`, `12.0`, `+12`, ` 12 `, `012`, `1.2e1`); `None` for anything
/// else. `whole` in `lua/prelude.lua` says the same.
pub(super) fn whole(text: &str) -> Option<i64> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (integer, rest) = unsigned.split_at(digits);
    let fraction = rest.strip_prefix('.').unwrap_or("");
    if integer.is_empty() {
        return None;
    }
    let number = if rest.is_empty() || (rest.starts_with('.') && fraction.bytes().all(|digit| digit == b'0')) {
        integer.bytes().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add((digit - b'0').into()))?
    } else {
        with_exponent(integer, rest)?
    };
    (number < MOST).then_some(sign * number)
}

/// `1.2e1`, given as `1` and `.2e1`.
fn with_exponent(integer: &str, rest: &str) -> Option<i64> {
    let (fraction, exponent) = rest.split_once(['e', 'E'])?;
    let fraction = fraction.strip_prefix('.').unwrap_or(fraction);
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(fraction) || exponent_digits.is_empty() || !are_digits(exponent_digits) {
        return None;
    }
    let mantissa = format!("{integer}{fraction}");
    let mantissa = mantissa.trim_start_matches('0');
    if mantissa.is_empty() {
        return Some(0);
    }
    if mantissa.len() > DIGITS {
        return None;
    }
    // The point is this many digits before the mantissa's end.
    let behind = i64::try_from(fraction.len()).ok()?.checked_sub(exponent.parse::<i64>().ok()?)?;
    let significant = mantissa.trim_end_matches('0');
    let zeros = i64::try_from(mantissa.len() - significant.len()).ok()? - behind;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| significant.len() + zeros <= DIGITS)?;
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
}

/// Whether a number can be counted with.
pub(super) fn fits(number: i64) -> bool {
    (1 - MOST..MOST).contains(&number)
}

/// The fault for a value that is not a whole number. It is for operators: the name holds the account's id.
pub(super) fn not_an_integer(name: &str) -> Fault {
    Fault::Unexpected(format!(
        "{name} holds no whole number, so nothing can be counted there. Set it with: audit --mend"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_spelled() {
        for text in [
            "12", "12.0", "12.", "+12", " 12 ", "\t12\n", "012", "1.2e1", "1.2E+1", "120e-1", "0.12e2", "12.000",
            "12e0",
        ] {
            assert_eq!(whole(text), Some(12), "{text:?}");
        }
        for (text, number) in [
            ("-5", -5),
            ("-5.0", -5),
            ("0", 0),
            ("-0", 0),
            ("0.0", 0),
            ("00", 0),
            ("0e9", 0),
            ("9007199254740991", 9_007_199_254_740_991),
            ("1e14", 100_000_000_000_000),
            ("0000000000000000000000007", 7),
        ] {
            assert_eq!(whole(text), Some(number), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            " ",
            "abc",
            "12.5",
            "1.25e1",
            "0x10",
            "inf",
            "nan",
            "1,000",
            "1_000",
            "--1",
            "+-1",
            "+",
            ".5",
            "1 2",
            "12a",
            "1e",
            "e1",
            "1e1.0",
            "12.0.0",
            "1e-1",
            "1e-400",
            "1e400",
            "1e15",
            "9007199254740992",
            "9007199254740992.0",
            "99999999999999999999999",
            "-9007199254740992",
            "1234567890123456e0",
            "\u{662}",
            "1e99999999999999999999",
        ] {
            assert_eq!(whole(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_what_the_standard_library_reads(text in "[ ]?[+-]?[0-9]{0,17}[.]?[0-9]{0,4}(e[+-]?[0-9]{1,3})?[ ]?") {
            if let Some(number) = whole(&text) {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let number = number as f64;
                // Not by bits: the library tells a zero with a sign from one without.
                prop_assert!((text.trim().parse::<f64>().unwrap() - number).abs() < 0.5);
            }
        }
    }
}
