//! CSV (RFC 4180) that is safe to open in a spreadsheet.

use csv::{QuoteStyle, Terminator, WriterBuilder};

/// What a spreadsheet takes for the beginning of a formula, in both widths, or what can hide one (OWASP, CSV injection).
const FORMULAS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];
/// What makes a cell text. Before a cell that begins with one, there stands another: so one can always be taken away.
const TEXT: char = '\'';

/// Records as CSV, every cell in quotes: a spreadsheet that takes another separator than the comma finds none.
pub fn records<const N: usize>(records: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(vec![]);
    for record in records {
        writer
            .write_record(record.map(harmless))
            .expect("memory takes every record, and each has as many cells");
    }
    writer.into_inner().expect("memory takes everything")
}

fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULAS) || cell.starts_with(TEXT) {
        format!("{TEXT}{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "''=1"),
            ("a=1", "a=1"),
            (" =1", " =1"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("", ""),
        ] {
            let bytes = records([[cell.to_owned(), "x".to_owned()]]);
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(bytes.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!((&record[0], &record[1]), (written, "x"));
        }
    }

    #[test]
    fn quotes_and_line_breaks_stay_within_their_cell() {
        let bytes = records([["a\",=1;\r\n=2".to_owned()]]);
        assert_eq!(bytes, b"\"a\"\",=1;\r\n=2\"\r\n");
    }
}
