use super::*;

/// The rows of the contract's error table that are complaints: field, message.
const TABLE: &str = include_str!("table.tsv");

fn complaints() -> Vec<Complaint> {
    vec![
        Complaint::NoImage,
        Complaint::NoFileSelected,
        Complaint::UnsupportedType(".exe".into()),
        Complaint::CorruptImage,
        Complaint::EmptyFile,
        Complaint::FileTooLarge(57_881_395),
        Complaint::TooWide(12000),
        Complaint::TooTall(15000),
        Complaint::NotAnInteger("w", "abc".into()),
        Complaint::BelowRange("w", 1, "-5".into()),
        Complaint::AboveRange("w", 10000, "15000".into()),
        Complaint::NotANumber("angle", "ninety".into()),
        Complaint::AngleOutOfRange(500.0),
        Complaint::BadFormat("gif".into()),
        Complaint::BadColour("#12345".into()),
        Complaint::MaskWithColour,
        Complaint::NotABoolean("mask", "maybe".into()),
        Complaint::NotAnInteger("month", "abc".into()),
        Complaint::OutsideRange("month", 1, 12, "13".into()),
        Complaint::OutsideRange("year", 1, 9999, "0".into()),
        Complaint::BelowRange("periodStartUnix", 1, "-5".into()),
        Complaint::PeriodWithMonth,
    ]
}

#[test]
fn every_message_is_the_contracts_byte_for_byte() {
    let said: Vec<String> = complaints().iter().map(|one| format!("{}\t{}", one.field(), one.message())).collect();
    assert_eq!(said, TABLE.lines().collect::<Vec<_>>());
}

#[test]
fn a_file_size_is_shown_with_one_decimal_rounded_to_the_nearest() {
    const MIB: u64 = 1024 * 1024;
    for (bytes, shown) in [(50 * MIB + 1, "50.0"), (50 * MIB + MIB / 20 + 1, "50.1"), (128 * MIB - 1, "128.0")] {
        let message = Complaint::FileTooLarge(bytes).message();
        assert_eq!(message, format!("File size ({shown} MB) exceeds the maximum allowed size of 50 MB."));
    }
}

#[test]
fn an_angle_is_shown_as_python_prints_it() {
    for (angle, shown) in [
        (500.0, "500.0"),
        (-360.5, "-360.5"),
        (360.000_000_000_000_06, "360.00000000000006"),
        (1e15, "1000000000000000.0"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (-1.5e16, "-1.5e+16"),
        (1_234_567_890_123_456_789.0, "1.2345678901234568e+18"),
        (1e300, "1e+300"),
        (f64::MAX, "1.7976931348623157e+308"),
    ] {
        let message = Complaint::AngleOutOfRange(angle).message();
        assert_eq!(message, format!("'angle' must be between -360 and 360 degrees, got: {shown}"));
    }
}
