//! What a mail says: a subject and plain text, with places for what it is about.

use std::fmt;

/// What is sent when the operator has written nothing else.
const DEFAULT: &str = "\
Subject: Your license key for {{product}}

Hello {{name}},

thank you for your purchase of {{product}} ({{tier}}).

Your license key:

    {{key}}

It is valid: {{expires}}. Keep this mail: the key is stored nowhere else.
";

/// The places that there are.
const PLACES: [&str; 6] = ["key", "product", "tier", "name", "expires", "license_id"];

/// Longest template, in bytes.
const MAX: usize = 16 * 1024;

/// A text that mails are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    subject: String,
    body: String,
}

/// The text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The first line is no subject.
    #[error("must begin with a line `Subject: …`, and an empty one")]
    NoSubject,
    /// The license key is not in it.
    #[error("must hold {{{{key}}}} in its text, and not in its subject")]
    NoKey,
    /// It has a place that there is not.
    #[error("has the unknown place {{{{{0}}}}}: there are {places}", places = PLACES.join(", "))]
    UnknownPlace(String),
    /// It is long.
    #[error("must have at most {MAX} bytes")]
    TooLong,
}

/// What a mail is about. The key is not printed by accident.
pub(super) struct Subject<'a> {
    pub(super) key: &'a str,
    pub(super) product: &'a str,
    pub(super) tier: &'a str,
    pub(super) name: &'a str,
    pub(super) expires: String,
    pub(super) license_id: String,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.license_id)
    }
}

/// A mail's own parts.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) body: String,
}

impl Default for Template {
    fn default() -> Self {
        Self::parse(DEFAULT).expect("checked by a test")
    }
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX {
            return Err(TemplateError::TooLong);
        }
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").ok_or(TemplateError::NoSubject)?;
        let subject = head
            .strip_prefix("Subject:")
            .map(str::trim)
            .filter(|subject| !subject.is_empty() && !subject.contains('\n'))
            .ok_or(TemplateError::NoSubject)?;
        for part in [subject, body] {
            if let Some(unknown) = places(part).find(|place| !PLACES.contains(place)) {
                return Err(TemplateError::UnknownPlace(unknown.to_owned()));
            }
        }
        // Subjects are shown in lists and kept in logs.
        if !places(body).any(|place| place == "key") || places(subject).any(|place| place == "key") {
            return Err(TemplateError::NoKey);
        }
        Ok(Self {
            subject: subject.to_owned(),
            body: body.to_owned(),
        })
    }

    /// Fills the places, each once: what is filled in is not looked at again. Nothing of it can end the line that it
    /// stands in.
    pub(super) fn render(&self, about: &Subject<'_>) -> Rendered {
        Rendered {
            subject: fill(&self.subject, about),
            body: fill(&self.body, about),
        }
    }
}

/// The names between `{{` and `}}`.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

fn fill(text: &str, about: &Subject<'_>) -> String {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let place = part.split_once("}}");
        let value = place.and_then(|(name, rest)| Some((value(name.trim(), about)?, rest)));
        if let Some((value, rest)) = value {
            filled.push_str(&value);
            filled.push_str(rest);
        } else {
            filled.push_str("{{");
            filled.push_str(part);
        }
    }
    filled
}

fn value(place: &str, about: &Subject<'_>) -> Option<String> {
    let text = match place {
        "key" => about.key,
        "product" => about.product,
        "tier" => about.tier,
        "name" => about.name,
        "expires" => &about.expires,
        "license_id" => &about.license_id,
        _ => return None,
    };
    Some(
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str) -> Subject<'_> {
        Subject {
            key: "PRD-AAAAA-BBBBB",
            product: "My Product",
            tier: "pro",
            name,
            expires: "until 2027-01-01".into(),
            license_id: "0197f0a2".into(),
        }
    }

    #[test]
    fn the_usual_text_holds_the_key() {
        let mail = Template::default().render(&about("Jane"));
        assert_eq!(mail.subject, "Your license key for My Product");
        assert!(mail.body.contains("\n    PRD-AAAAA-BBBBB\n"), "{}", mail.body);
        assert!(mail.body.starts_with("Hello Jane,\n"), "{}", mail.body);
        assert!(!mail.body.contains("{{") && !mail.body.contains("}}"));
    }

    #[test]
    fn what_is_filled_in_stays_in_its_line_and_is_not_filled_again() {
        let template = Template::parse("Subject: For {{name}}\n\n{{ key }} {{name}}").unwrap();
        let mail = template.render(&about("Jane\r\nBcc: all@example.com {{key}}"));
        assert_eq!(mail.subject, "For Jane  Bcc: all@example.com {{key}}");
        assert_eq!(mail.body, "PRD-AAAAA-BBBBB Jane  Bcc: all@example.com {{key}}");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, error) in [
            ("Hello {{key}}", TemplateError::NoSubject),
            ("Subject:\n\n{{key}}", TemplateError::NoSubject),
            ("Subject: x\nBcc: y\n\n{{key}}", TemplateError::NoSubject),
            ("Subject: x\n\nno key", TemplateError::NoKey),
            ("Subject: {{key}}\n\n{{key}}", TemplateError::NoKey),
            (
                "Subject: x\n\n{{key}} {{email}}",
                TemplateError::UnknownPlace("email".into()),
            ),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
        let long = format!("Subject: x\n\n{{{{key}}}}{}", "x".repeat(MAX));
        assert_eq!(Template::parse(&long), Err(TemplateError::TooLong));
        assert!(Template::parse("Subject: x\r\n\r\n{{key}}\r\n").is_ok());
        let told = TemplateError::UnknownPlace("email".into()).to_string();
        assert!(
            told.starts_with("has the unknown place {{email}}: there are key, product"),
            "{told}"
        );
    }
}
