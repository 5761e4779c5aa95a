//! What the words of the API mean to an admin.

/// What a license's status means.
pub fn license_status(status: &str) -> &'static str {
    match status {
        "active" => "Valid: applications that ask are let in.",
        "suspended" => "Paused: applications are refused until it is reinstated.",
        "revoked" => "Withdrawn for good: applications are refused, and nothing brings it back.",
        "expired" => "Past its end: applications are refused until it is renewed.",
        _ => "",
    }
}

/// The first letter large.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// The beginning of an id, enough to tell one from another at a glance.
pub fn short_id(id: &str) -> String {
    id.chars().take(13).collect()
}
