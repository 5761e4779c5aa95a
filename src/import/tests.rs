//! Whatever an old database holds, every row of it is accounted for.

use proptest::prelude::*;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::report::{Kind, Report};
use super::tables::ALL;
use super::{Place, Wish, run};

/// A value such as columns hold, or should not.
fn value() -> impl Strategy<Value = Sql> {
    let words = [
        "05789a4f-7a47-416f-9801-04470a60fe78",
        "05789A4F7A47416F980104470A60FE78",
        "2da2dd81e54c4e730abbce3a82743aedc460ed4ab09984dad26fd11fd90b5918",
        "jane@example.com",
        "PRD",
        "acme",
        "active",
        "banana",
        "2026-01-31 12:00:00.5",
        "{\"export\": true, \"seats\": {\"limit\": 5}}",
        "[\"license.created\"]",
        "https://hooks.example.com/x",
        "",
    ];
    prop_oneof![
        1 => Just(Sql::Null),
        6 => proptest::sample::select(words.to_vec()).prop_map(|word| Sql::Text(word.to_owned())),
        1 => "\\PC{0,40}".prop_map(Sql::Text),
        1 => "[\\x00-\\x20]{0,4}".prop_map(Sql::Text),
        1 => any::<i64>().prop_map(Sql::Integer),
        1 => (0_i64..3).prop_map(Sql::Integer),
        1 => any::<f64>().prop_filter("SQLite has none", |real| !real.is_nan()).prop_map(Sql::Real),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Sql::Blob),
    ]
}

type Rows = Vec<Vec<Vec<Sql>>>;

/// Some rows of each table, of any values.
fn rows() -> impl Strategy<Value = Rows> {
    let tables: Vec<_> = ALL
        .iter()
        .map(|table| {
            let row = proptest::collection::vec(value(), table.fields.len());
            proptest::collection::vec(row, 0..6)
        })
        .collect();
    tables
}

fn dry_run(rows: &Rows) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN")
        .unwrap();
    for (table, rows) in ALL.iter().zip(rows) {
        let columns: Vec<String> = table
            .fields
            .iter()
            .map(|(_, names)| format!("\"{}\"", names[0]))
            .collect();
        connection
            .execute_batch(&format!("CREATE TABLE {} ({})", table.name, columns.join(", ")))
            .unwrap();
        let marks = vec!["?"; columns.len()].join(", ");
        for row in rows {
            let insert = format!("INSERT INTO {} VALUES ({marks})", table.name);
            connection.execute(&insert, params_from_iter(row)).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    drop(connection);
    let wish = Wish {
        from: Place::Sqlite(path),
        dry_run: true,
        skip: std::collections::BTreeSet::new(),
        now: "2026-03-01T00:00:00Z".parse().unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(run(&wish, None, |_, _, _| ())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_dropped_silently(rows in rows()) {
        let report = dry_run(&rows);
        for (table, rows) in report.tables.iter().zip(&rows) {
            let counts = &table.counts;
            prop_assert_eq!(counts.read, rows.len() as u64);
            prop_assert_eq!(counts.new + counts.not_taken, counts.read, "{}", table.table);
            let told = |kind| {
                let findings = report.findings.iter().filter(|one| one.table == table.table && one.kind == kind);
                findings.count() as u64
            };
            prop_assert_eq!(told(Kind::NotTaken), counts.not_taken);
            prop_assert!(counts.mended <= told(Kind::Mended));
        }
        prop_assert_eq!(report.all_taken, report.findings.iter().all(|one| one.kind != Kind::NotTaken));
        prop_assert!(!report.text().contains('\0'));
        // The same again is the same.
        prop_assert_eq!(dry_run(&rows).findings, report.findings);
    }
}
