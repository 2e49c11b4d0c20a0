//! Short aligned tables.

use crate::domain::time::UnixSeconds;

/// Lays rows out under their headings. Columns that hold only numbers are aligned to the right, except the first, which
/// names the rows.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let is_numeric = |column: usize| column > 0 && rows.iter().all(|row| row[column].parse::<i64>().is_ok());
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let columns: Vec<(usize, bool)> = (0..N).map(|column| (width(column), is_numeric(column))).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&columns).map(|(cell, (width, numeric))| {
            if *numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(headings.to_vec())).chain(lines).collect::<Vec<_>>().join("\n")
}

/// A UTC date, as 2026-03-01.
pub(super) fn date(at: UnixSeconds) -> String {
    let day = at.date();
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

/// The text without the characters that would move a terminal's cursor.
fn printable(cell: &str) -> String {
    cell.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_start_together_and_numbers_end_together() {
        let rows = [["42".into(), "7".into(), "ab\x1b[2J".into()], ["7".into(), "1200".into(), String::new()]];
        let expected = "ACCOUNT  USED  NAME\n\
                        42          7  ab\u{fffd}[2J\n\
                        7        1200";
        assert_eq!(table(["ACCOUNT", "USED", "NAME"], &rows), expected);
    }

    #[test]
    fn dates_are_padded() {
        assert_eq!(date(UnixSeconds(1_772_366_400)), "2026-03-01");
    }
}
