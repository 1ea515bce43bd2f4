//! Tables for a terminal.

use std::fmt;

use crate::text::{Safe, width_of};

/// Rows below a head. Columns are as wide as they need to be; what people wrote can't act on the terminal.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<Column>,
    rows: Vec<Vec<Safe>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    is_number: bool,
}

impl Table {
    /// A table with these columns. One whose title ends with `>` has numbers, which stand at its right.
    pub(super) fn new(titles: &[&'static str]) -> Self {
        let head = titles.iter().map(|title| match title.strip_suffix('>') {
            Some(title) => Column { title, is_number: true },
            None => Column { title, is_number: false },
        });
        Self { head: head.collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| Safe::line(&cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self
            .head
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell.as_str()));
                cells.chain([width(column.title)]).max().unwrap_or_default()
            })
            .collect();
        let titles: Vec<_> = self.head.iter().map(|column| column.title).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Safe::as_str).collect());
        for row in std::iter::once(titles).chain(rows) {
            let mut line = String::new();
            for ((cell, column), wide) in row.iter().zip(&self.head).zip(&widths) {
                let space = " ".repeat(wide - width(cell));
                let (before, after) = if column.is_number { (&*space, "") } else { ("", &*space) };
                line.push_str(before);
                line.push_str(cell);
                line.push_str(after);
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// A count of bytes, for people.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut unit) = (count, 0);
    let mut tenths = 0;
    while whole >= 1_024 && unit + 1 < UNITS.len() {
        tenths = whole % 1_024 * 10 / 1_024;
        whole /= 1_024;
        unit += 1;
    }
    if unit == 0 { format!("{whole} B") } else { format!("{whole}.{tenths} {}", UNITS[unit]) }
}

/// The beginning of a text, on one line of at most `most` columns.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let line = text.replace('\n', " ");
    if width(&line) <= most {
        return line;
    }
    let mut used = 0;
    let kept: String = line
        .chars()
        .take_while(|c| {
            used += width_of(*c);
            used < most
        })
        .collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them_and_numbers_stand_at_the_right() {
        let mut table = Table::new(&["ID>", "NAME", "READ>"]);
        table.row(["7".into(), "日本".into(), "12".into()]);
        table.row(["1024".into(), "bob\x1b[2J".into(), "3".into()]);
        let expected = "  ID  NAME     READ\n   7  日本       12\n1024  bob␛[2J     3\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        for (count, expected) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")]
        {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_to_its_column() {
        assert_eq!(beginning("one\ntwo", 10), "one two");
        assert_eq!(beginning("one two three", 8), "one two…");
        assert_eq!(beginning("日本語", 5), "日本…");
    }
}
