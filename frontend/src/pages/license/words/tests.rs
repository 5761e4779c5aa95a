use serde_json::json;

use super::*;

fn entry(event_type: &str, actor: &str, name: Option<&str>, detail: Value) -> AuditEntry {
    AuditEntry {
        id: "e".to_owned(),
        license_id: "0197f0a2-0000-7000-8000-000000000001".to_owned(),
        event_type: event_type.to_owned(),
        actor: actor.to_owned(),
        actor_name: name.map(str::to_owned),
        detail,
        prev_hash: None,
        event_hash: String::new(),
        position: 0,
        created_at: "2026-03-01T12:00:00Z".to_owned(),
    }
}

fn told(entry: &AuditEntry) -> String {
    tell(entry).sentence
}

#[test]
fn a_sentence_says_who_did_what_and_why() {
    let suspended = entry(
        "license.suspended",
        "k",
        Some("Jane"),
        json!({"reason": "unpaid"}),
    );
    assert_eq!(told(&suspended), "Jane suspended it: unpaid");
    let revoked = entry("license.revoked", "admin", None, json!({"reason": null}));
    assert_eq!(told(&revoked), "The admin revoked it for good, without a reason.");
}

#[test]
fn an_application_acts_with_the_license_key() {
    let license = "0197f0a2-0000-7000-8000-000000000001";
    let gave_up = entry("activation.removed", license, None, json!({"fingerprint": "m1"}));
    assert_eq!(told(&gave_up), "Machine m1 gave up its seat.");
    let taken = entry(
        "activation.removed",
        "k",
        Some("Jane"),
        json!({"fingerprint": "m1"}),
    );
    assert_eq!(told(&taken), "Jane deactivated machine m1: its seat is free.");
}

#[test]
fn usage_in_a_row_is_added_up() {
    let limit = |used: &str| json!({"amount": "1000", "used": used, "remaining": "0", "period": "month"});
    let of = |value: &str, used: &str| {
        entry(
            "usage.recorded",
            "k",
            None,
            json!({"metric": "calls", "value": value, "total": used, "limit": limit(used)}),
        )
    };
    let run = [of("2", "1042"), of("1040", "1040")];
    assert!(belong_together(&run[0], &run[1]));
    assert_eq!(
        tell_run(&run),
        "2 records of calls: 1,042 together; 1,042 of 1,000 a month used then."
    );
    let other = entry(
        "usage.recorded",
        "k",
        None,
        json!({"metric": "seats", "value": "1"}),
    );
    assert!(!belong_together(&run[0], &other));
}

#[test]
fn refused_validations_are_told() {
    let counted = entry(
        "license.validated",
        "validations",
        None,
        json!({"count": 4, "outcomes": {"OK": 3, "SUSPENDED": 1}}),
    );
    assert_eq!(
        told(&counted),
        "Its key was validated 4 times: 3 let in, 1 refused as suspended or revoked."
    );
}

#[test]
fn a_change_names_its_new_values() {
    let changed = entry(
        "license.updated",
        "admin",
        None,
        json!({"tier": "pro", "machines_limit": null, "entitlements": {"calls": {"limit": 9}}}),
    );
    assert_eq!(tell(&changed).changes.len(), 3);
    assert!(
        tell(&changed)
            .changes
            .contains(&"Overrides: calls limit 9".to_owned())
    );
}

#[test]
fn what_was_imported_says_so() {
    let of = |event_type: &str, detail| told(&entry(event_type, "import", None, detail));
    let history =
        json!({"event_type": "license.created", "actor": "system", "created_at": "2025-01-31T12:00:00Z"});
    assert_eq!(
        of("license.history_imported", history),
        "Imported, not proven: license.created by system at 2025-01-31 12:00:00 UTC."
    );
    let gone = json!({"fingerprint": "m1", "removed_at": "2025-01-31T12:00:00Z"});
    assert_eq!(
        of("activation.imported", gone),
        "Machine m1 was imported, as history, without a seat."
    );
    let usage = json!({"metric": "calls", "value": "1.5", "total": "2"});
    assert_eq!(of("usage.imported", usage), "1.5 of calls were imported.");
}
