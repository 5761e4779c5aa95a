//! Pieces of Markdown.

/// A text on one line, for a cell of a table. What stands in angle brackets stays as it is written.
pub(super) fn cell(text: &str) -> String {
    let mut line = String::new();
    let mut in_code = false;
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '`' => {
                in_code = !in_code;
                line.push(c);
            }
            '|' => line.push_str("\\|"),
            // Addresses are written <http://…> in docstrings; here they are code.
            '<' | '>' if !in_code => line.push('`'),
            _ => line.push(c),
        }
    }
    line
}

/// A text of several paragraphs, as it is.
pub(super) fn prose(text: &str) -> String {
    text.trim().to_owned()
}

/// A row of a table.
pub(super) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
pub(super) fn head(titles: &[&str]) -> String {
    row(titles) + &format!("|{}\n", "---|".repeat(titles.len()))
}

/// What a heading can be linked by, on the web sites that show Markdown and in the book.
pub(super) fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    heading.to_lowercase().chars().filter_map(kept).collect()
}

#[test]
fn cells_are_one_line_and_hold_no_markup_of_others() {
    assert_eq!(cell("a |\n  <http://b> and `<c>`"), "a \\| `http://b` and `<c>`");
    assert_eq!(anchor("`GET /licenses/{license_id}`"), "get-licenseslicense_id");
}
