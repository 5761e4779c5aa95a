//! The way to the mail server.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use url::Url;
use vinzy_events::{MailId, Timestamp};

use super::template::{Rendered, Template, TemplateError};
use crate::config::ProvisioningConfig;

/// How long the mail server may take for one step.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a line that may go as it is.
const LINE: usize = 900;
/// Replies that are about us, not about the mail: whoever runs the server can mend that.
const ABOUT_US: [&str; 5] = ["530", "534", "535", "538", "421"];

/// Why mails cannot be sent as it is set.
#[derive(Debug, thiserror::Error)]
pub enum MailConfigError {
    /// The address of the mail server is none.
    #[error(
        "VINZY_SMTP_URL must be smtp://user:password@host:587, with STARTTLS, or smtps://user:password@host:465; \
         `?tls=none` sends in the clear"
    )]
    Url,
    /// TLS cannot be set up.
    #[error("VINZY_SMTP_URL: TLS cannot be set up: {0}")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The sender is missing or no address.
    #[error(
        "VINZY_MAIL_FROM must be an address such as `Shop <shop@example.com>` when VINZY_SMTP_URL is set"
    )]
    From,
    /// The template cannot be read.
    #[error("VINZY_MAIL_TEMPLATE: cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The template is none.
    #[error("VINZY_MAIL_TEMPLATE: {path} {source}")]
    Template {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TemplateError,
    },
}

/// Why a mail was not taken, in words that hold nothing of what the mail server says: it may name the recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    /// The address cannot be sent to.
    #[error("mail cannot be sent to the customer's address")]
    Address,
    /// The mail server does not want it, now or ever.
    #[error("the mail server answered {0}")]
    Refused(String, bool),
    /// The mail server cannot be talked to.
    #[error("{0}")]
    Unreachable(&'static str),
}

impl SendError {
    /// Whether the same cannot go well later.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Address => true,
            Self::Refused(_, is_final) => *is_final,
            Self::Unreachable(_) => false,
        }
    }
}

/// Sends mails.
#[derive(Clone)]
pub(super) struct Sender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// The template that `config` names.
pub(super) fn template(config: &ProvisioningConfig) -> Result<Template, MailConfigError> {
    let Some(path) = &config.mail_template else {
        return Ok(Template::default());
    };
    let text = std::fs::read_to_string(path).map_err(|source| MailConfigError::Unreadable {
        path: path.clone(),
        source,
    })?;
    Template::parse(&text).map_err(|source| MailConfigError::Template {
        path: path.clone(),
        source,
    })
}

impl Sender {
    /// A way to the mail server that `config` names; `None` if it names none.
    pub(super) fn try_new(config: &ProvisioningConfig) -> Result<Option<Self>, MailConfigError> {
        let Some(url) = &config.smtp_url else {
            return Ok(None);
        };
        let url = Url::parse(url.expose()).map_err(|_| MailConfigError::Url)?;
        let host = url.host_str().ok_or(MailConfigError::Url)?.to_owned();
        // `[::1]` is an address in brackets to a URL, and without them to whoever connects.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("tls", value @ ("required" | "opportunistic" | "none")) => tls = Some(value.to_owned()),
                _ => return Err(MailConfigError::Url),
            }
        }
        let parameters = || TlsParameters::new(host.clone()).map_err(MailConfigError::Tls);
        let (tls, port) = match (url.scheme(), tls.as_deref()) {
            ("smtps", None | Some("required")) => (Tls::Wrapper(parameters()?), 465),
            // Whoever wants to send keys in the clear has to say so.
            ("smtp", None | Some("required")) => (Tls::Required(parameters()?), 587),
            ("smtp", Some("opportunistic")) => (Tls::Opportunistic(parameters()?), 25),
            ("smtp", Some("none")) => (Tls::None, 25),
            _ => return Err(MailConfigError::Url),
        };
        let from = config.mail_from.as_deref().map(str::parse::<Mailbox>);
        let from = from.and_then(Result::ok).ok_or(MailConfigError::From)?;
        let own_name = ClientId::Domain(from.email.domain().to_owned());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .hello_name(own_name)
            .timeout(Some(PATIENCE));
        if !url.username().is_empty() {
            let password = url.password().unwrap_or_default();
            let credentials = decoded(url.username()).zip(decoded(password));
            let (user, password) = credentials.ok_or(MailConfigError::Url)?;
            builder = builder.credentials(Credentials::new(user, password));
        }
        let transport = builder.build();
        Ok(Some(Self { transport, from }))
    }

    /// Sends a mail, which is known by its id: sent twice, it is the same.
    pub(super) async fn send(
        &self,
        mail_id: MailId,
        to: &str,
        content: Rendered,
        at: Timestamp,
    ) -> Result<(), SendError> {
        let message = self.message(mail_id, to, content, at)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(judge(&error)),
        }
    }

    fn message(
        &self,
        mail_id: MailId,
        to: &str,
        content: Rendered,
        at: Timestamp,
    ) -> Result<Message, SendError> {
        let to = Mailbox::new(None, to.parse().map_err(|_| SendError::Address)?);
        let domain = self.from.email.domain();
        // Text that people can read in any mail reader, and filters: Base64 is for other things.
        let short = |line: &str| line.len() < LINE;
        let body = if content.body.is_ascii() && content.body.lines().all(short) {
            Body::new(content.body)
        } else {
            let encoding = ContentTransferEncoding::QuotedPrintable;
            Body::new_with_encoding(content.body, encoding).map_err(|_| SendError::Address)?
        };
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(content.subject)
            .date(SystemTime::from(at.to_chrono()))
            .message_id(Some(format!("<{mail_id}@{domain}>")))
            .header(ContentType::TEXT_PLAIN)
            .body(body);
        message.map_err(|_| SendError::Address)
    }
}

fn judge(error: &lettre::transport::smtp::Error) -> SendError {
    if let Some(code) = error.status() {
        let code = code.to_string();
        let is_final = error.is_permanent() && !ABOUT_US.contains(&code.as_str());
        return SendError::Refused(code, is_final);
    }
    if error.is_timeout() {
        SendError::Unreachable("the mail server does not answer")
    } else if error.is_tls() {
        SendError::Unreachable("there is no encrypted connection to the mail server")
    } else if error.is_client() {
        SendError::Unreachable("the mail server does not offer what sending takes")
    } else {
        SendError::Unreachable("there is no connection to the mail server")
    }
}

/// Text of a URL without its percent signs.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(url: &str, from: &str) -> Result<Option<Sender>, MailConfigError> {
        Sender::try_new(&ProvisioningConfig {
            smtp_url: Some(url.to_owned().into()),
            mail_from: Some(from.to_owned()),
            ..ProvisioningConfig::default()
        })
    }

    #[test]
    fn a_mail_server_is_named_by_a_url() {
        crate::cli::prepare_tls();
        for url in [
            "smtp://mail.example.com",
            "smtps://user:p%40ss@mail.example.com:2465",
            "smtp://localhost:25?tls=none",
            "smtp://[::1]:25?tls=opportunistic",
        ] {
            assert!(sender(url, "Shop <shop@example.com>").unwrap().is_some(), "{url}");
        }
        for url in [
            "mail.example.com",
            "http://mail.example.com",
            "smtps://mail.example.com?tls=none",
            "smtp://mail.example.com?tls=no",
            "smtp://mail.example.com?verify=no",
        ] {
            assert!(
                matches!(sender(url, "shop@example.com"), Err(MailConfigError::Url)),
                "{url}"
            );
        }
        assert!(matches!(
            sender("smtp://localhost", "shop"),
            Err(MailConfigError::From)
        ));
        assert!(Sender::try_new(&ProvisioningConfig::default()).unwrap().is_none());
    }

    #[test]
    fn a_mail_is_plain_text_with_an_id_of_its_own() {
        crate::cli::prepare_tls();
        let sender = sender("smtp://localhost?tls=none", "Shop <shop@example.com>")
            .unwrap()
            .unwrap();
        let mail_id: MailId = "0197f0a2-0000-7000-8000-000000000000".parse().unwrap();
        let content = || Rendered {
            subject: "Schlüssel\r\nBcc: all@example.com".into(),
            body: "Grüße\n.\nPRD-AAAAA\n".into(),
        };
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let message = sender
            .message(mail_id, "jane@example.com", content(), at)
            .unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("Message-ID: <0197f0a2-0000-7000-8000-000000000000@example.com>"),
            "{head}"
        );
        assert!(head.contains("To: jane@example.com") && head.contains("Date: Sun, 01 Mar 2026 12:00:00"));
        assert!(
            !head
                .lines()
                .any(|line| line.to_ascii_lowercase().starts_with("bcc")),
            "{head}"
        );
        assert_eq!(body, "Gr=C3=BC=C3=9Fe\r\n.\r\nPRD-AAAAA\r\n");
        let plain = Rendered {
            subject: "x".into(),
            body: "Hello\n\n    PRD-AAAAA\n".into(),
        };
        let message = sender.message(mail_id, "jane@example.com", plain, at).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "Hello\r\n\r\n    PRD-AAAAA\r\n");
        for to in ["nobody", "a@b\r\nRCPT TO:<c@d>", ""] {
            assert!(sender.message(mail_id, to, content(), at).is_err(), "{to}");
        }
    }
}
