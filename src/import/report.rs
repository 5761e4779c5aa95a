//! What an import comes to: how many rows of each table were taken, and which were not, and why.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// Of rows that were mended alike, so many are named where people read.
const EXAMPLES: usize = 5;

/// What became of a row, beside being taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It could not be taken.
    NotTaken,
    /// It was taken with a change.
    Mended,
    /// It was taken as it is, which may surprise.
    Noted,
}

/// Something to say about a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its table.
    pub table: &'static str,
    /// Its id, as it stands there.
    pub id: String,
    /// What became of it.
    pub kind: Kind,
    /// Why, as a sentence about the row.
    pub reason: String,
}

/// How many rows of a table became what. `read` is `new` and `already_there` and `not_taken`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Whether the table is there.
    pub found: bool,
    /// Whether it was left out because somebody wanted that.
    pub skipped: bool,
    /// Rows that were read.
    pub read: u64,
    /// Rows that were taken now.
    pub new: u64,
    /// Rows that were taken before.
    pub already_there: u64,
    /// Among those: rows with a change.
    pub mended: u64,
    /// Rows that could not be taken.
    pub not_taken: u64,
    /// Records that were made for rows that are missing.
    pub made: u64,
    /// Columns that nothing is made of.
    pub unread_columns: Vec<String>,
}

/// What an import came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether every row was taken, now or before.
    pub all_taken: bool,
    /// By table, in the order in which they are read.
    pub tables: Vec<TableReport>,
    /// Tables of the old database that are not read, with how many rows they have.
    pub unread_tables: BTreeMap<String, u64>,
    /// What is to be said of no row.
    pub notes: Vec<String>,
    /// What is to be said of rows.
    pub findings: Vec<Finding>,
}

/// The counts of a table.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Its counts.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Report {
    pub(super) fn table(&mut self, name: &'static str) -> &mut Counts {
        let index = self
            .tables
            .iter()
            .position(|table| table.table == name)
            .unwrap_or_else(|| {
                self.tables.push(TableReport {
                    table: name,
                    counts: Counts::default(),
                });
                self.tables.len() - 1
            });
        &mut self.tables[index].counts
    }

    pub(super) fn find(&mut self, table: &'static str, id: &str, kind: Kind, reason: impl Into<String>) {
        self.findings.push(Finding {
            table,
            id: id.to_owned(),
            kind,
            reason: reason.into(),
        });
    }

    pub(super) fn finish(&mut self) {
        self.findings.sort_by(|one, other| {
            let key = |finding: &Finding| {
                (
                    finding.kind,
                    finding.table,
                    finding.reason.clone(),
                    finding.id.clone(),
                )
            };
            key(one).cmp(&key(other))
        });
        self.all_taken = self.tables.iter().all(|table| table.counts.not_taken == 0);
    }

    /// The report for people: counts, then what was not taken row by row, then what was mended or may surprise, by
    /// reason.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.dry_run {
            text += "Nothing was written: this is what an import would do.\n\n";
        }
        let header = ["table", "read", "new", "already there", "mended", "not taken"];
        let _ = writeln!(
            text,
            "{:<18} {:>10} {:>10} {:>14} {:>10} {:>10}",
            header[0], header[1], header[2], header[3], header[4], header[5]
        );
        for TableReport { table, counts } in &self.tables {
            let Counts {
                read,
                new,
                already_there,
                mended,
                not_taken,
                ..
            } = counts;
            let _ = match counts {
                Counts { skipped: true, .. } => writeln!(text, "{table:<18} left out"),
                Counts { found: false, .. } => writeln!(text, "{table:<18} not there"),
                _ => writeln!(
                    text,
                    "{table:<18} {read:>10} {new:>10} {already_there:>14} {mended:>10} {not_taken:>10}"
                ),
            };
        }
        for TableReport { table, counts } in &self.tables {
            if counts.made > 0 {
                let _ = writeln!(text, "{table}: {} made for rows that are missing", counts.made);
            }
            if !counts.unread_columns.is_empty() {
                let _ = writeln!(
                    text,
                    "{table}: columns not read: {}",
                    counts.unread_columns.join(", ")
                );
            }
        }
        for (table, rows) in &self.unread_tables {
            let _ = writeln!(text, "table not read: {table} ({rows} rows)");
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let of = |kind| self.findings.iter().filter(move |finding| finding.kind == kind);
        if of(Kind::NotTaken).next().is_some() {
            text += "\nNot taken:\n";
        }
        for Finding {
            table, id, reason, ..
        } in of(Kind::NotTaken)
        {
            let _ = writeln!(text, "  {table} {id}: {reason}");
        }
        for (kind, title) in [
            (Kind::Mended, "\nMended:\n"),
            (Kind::Noted, "\nTaken as they are:\n"),
        ] {
            let mut by_reason: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
            for Finding {
                table, id, reason, ..
            } in of(kind)
            {
                by_reason.entry((table, reason)).or_default().push(id);
            }
            if !by_reason.is_empty() {
                text += title;
            }
            for ((table, reason), ids) in by_reason {
                let named = ids.iter().take(EXAMPLES).copied().collect::<Vec<_>>().join(", ");
                let more = match ids.len().saturating_sub(EXAMPLES) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let _ = writeln!(text, "  {table}: {reason}: {named}{more}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_not_taken_are_all_named_and_the_others_by_reason() {
        let mut report = Report::default();
        let counts = report.table("licenses");
        (counts.found, counts.read, counts.new, counts.not_taken) = (true, 9, 7, 2);
        report.table("machines").skipped = true;
        report.table("anomalies");
        for id in ["a", "b"] {
            report.find("licenses", id, Kind::NotTaken, "its product is not known");
        }
        for id in 1..=7 {
            report.find("licenses", &id.to_string(), Kind::Mended, "its status is unknown");
        }
        report.finish();
        assert!(!report.all_taken);
        let text = report.text();
        for line in [
            "licenses                    9          7              0          0          2\n",
            "machines           left out\n",
            "anomalies          not there\n",
            "  licenses a: its product is not known\n  licenses b: its product is not known\n",
            "  licenses: its status is unknown: 1, 2, 3, 4, 5 and 2 more\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
    }
}
