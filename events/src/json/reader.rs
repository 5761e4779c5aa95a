//! Reads canonical JSON (RFC 8785) in one pass, and nothing else: what it takes is exactly what would be written again.
//!
//! It may refuse canonical text that is unusual (exotic numbers, deep nesting): whoever gets `None` reads the slow way.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{RESERVED, write_number, write_string};

/// How deep arrays and objects may stand within each other.
const DEPTH: u32 = 100;

/// A place in a text.
pub(crate) struct CanonicalReader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> CanonicalReader<'a> {
    /// At the beginning of a text; `None` if it is not UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        Some(Self { text, at: 0 })
    }

    /// Exactly these bytes.
    pub(crate) fn literal(&mut self, literal: &str) -> Option<()> {
        self.skip(literal).then_some(())
    }

    /// Exactly these bytes, if they come now.
    pub(crate) fn skip(&mut self, literal: &str) -> bool {
        let comes = self.rest().starts_with(literal.as_bytes());
        if comes {
            self.at += literal.len();
        }
        comes
    }

    /// The end.
    pub(crate) fn end(&self) -> Option<()> {
        (self.at == self.text.len()).then_some(())
    }

    /// A string.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, str>> {
        let text = self.text;
        self.literal("\"")?;
        let begin = self.at;
        loop {
            let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
            self.at += self.rest().iter().position(special)?;
            match self.rest()[0] {
                b'"' => break,
                // What is escaped is no end.
                b'\\' => self.at += 2,
                _ => return None,
            }
            if self.at > text.len() {
                return None;
            }
        }
        let inside = text.get(begin..self.at)?;
        self.at += 1;
        if !inside.contains('\\') {
            return Some(Cow::Borrowed(inside));
        }
        let literal = text.get(begin - 1..self.at)?;
        let string: String = serde_json::from_str(literal).ok()?;
        let mut again = Vec::with_capacity(literal.len());
        write_string(&string, &mut again);
        (again == literal.as_bytes()).then_some(Cow::Owned(string))
    }

    /// A string without escapes of just so many bytes.
    pub(crate) fn plain_string(&mut self, length: usize) -> Option<&'a str> {
        match self.string()? {
            Cow::Borrowed(text) if text.len() == length => Some(text),
            _ => None,
        }
    }

    /// A string, or `null`.
    #[expect(clippy::option_option, reason = "whether it is read, and whether it is there")]
    pub(crate) fn optional_string(&mut self) -> Option<Option<Cow<'a, str>>> {
        if self.skip("null") {
            return Some(None);
        }
        self.string().map(Some)
    }

    /// A whole number, as Rust prints it.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let digits = self.span(u8::is_ascii_digit);
        let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
        (!has_leading_zero).then(|| digits.parse().ok()).flatten()
    }

    /// Any value, as it is written.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let begin = self.at;
        self.nested(DEPTH)?;
        self.text.get(begin..self.at)
    }

    fn nested(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.rest().first()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'n' => self.literal("null"),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.literal("[")?;
        if self.skip("]") {
            return Some(());
        }
        loop {
            self.nested(depth)?;
            if self.skip("]") {
                return Some(());
            }
            self.literal(",")?;
        }
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        self.literal("{")?;
        if self.skip("}") {
            return Some(());
        }
        let mut last: Option<Cow<'a, str>> = None;
        loop {
            let key = self.string()?;
            // Readers have a meaning of their own for it.
            if key.starts_with(RESERVED) || last.is_some_and(|last| !is_before(&last, &key)) {
                return None;
            }
            self.literal(":")?;
            self.nested(depth)?;
            last = Some(key);
            if self.skip("}") {
                return Some(());
            }
            self.literal(",")?;
        }
    }

    fn number(&mut self) -> Option<()> {
        let literal = self.span(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
        // What fits a double whatever its digits.
        if literal.len() <= 15 && literal.bytes().all(|byte| byte.is_ascii_digit()) {
            let has_leading_zero = literal.len() > 1 && literal.starts_with('0');
            return (!has_leading_zero && !literal.is_empty()).then_some(());
        }
        let number = serde_json::from_str(literal).ok()?;
        let mut again = Vec::with_capacity(literal.len());
        write_number(&number, &mut again);
        (again == literal.as_bytes()).then_some(())
    }

    fn span(&mut self, belongs: impl Fn(&u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        let span = &self.text[self.at..self.at + length];
        self.at += length;
        span
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }
}

/// Whether a key stands before another: by UTF-16, which differs from UTF-8 beyond the basic plane only.
fn is_before(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left < right;
    }
    left.encode_utf16().cmp(right.encode_utf16()) == Ordering::Less
}
