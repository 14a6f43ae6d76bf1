//! JSON's tokens: scalars are read whole, brackets are only announced.

use super::{ParseError, scan::plain_len};
use crate::{Name, Value};

/// What stands next where a value may stand.
pub(super) enum Token {
    Value(Value),
    ListStart,
    MapStart,
}

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Ok(self.start(Token::MapStart)),
            Some(b'[') => Ok(self.start(Token::ListStart)),
            Some(b'"') => self.text().map(Token::Value),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Value),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("unexpected end of JSON input")),
        }
    }

    /// Reads `"name":`.
    pub(super) fn key(&mut self) -> Result<Name, ParseError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a field name in quotes"));
        }
        let name = match self.plain_string() {
            Some(text) => Name::from(text),
            None => Name::from(self.string()?),
        };
        self.expect(b':', "expected ':' after a field name")?;
        Ok(name)
    }

    /// Takes `byte` if it comes next after white space.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(message)) }
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), ParseError> {
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.error("unexpected text after the value"))
        }
    }

    fn start(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, message: &'static str) -> ParseError {
        ParseError::Syntax { message, offset: self.at }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Token, ParseError> {
        if self.text[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(Token::Value(value))
        } else {
            Err(self.error("expected a value"))
        }
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        let mut whole = true;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if let (true, Some(number)) = (whole, few_digits(text)) {
            return Ok(Value::Int(number));
        }
        let text = std::str::from_utf8(text).unwrap_or_default();
        if let (true, Ok(number)) = (whole, text.parse::<i64>()) {
            return Ok(Value::Int(number));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(self.error("number is out of range")),
        }
    }

    fn text(&mut self) -> Result<Value, ParseError> {
        match self.plain_string() {
            Some(text) => Ok(Value::from(text)),
            None => self.string().map(Value::from),
        }
    }

    /// A string with escapes.
    fn string(&mut self) -> Result<String, ParseError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            self.at += plain_len(self.text.get(start..).unwrap_or_default());
            let run = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| {
                ParseError::Syntax { message: "string is not UTF-8", offset: start }
            })?;
            text.push_str(run);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("control character in a string")),
                None => return Err(self.error("unexpected end of JSON input")),
            }
        }
    }

    /// A string without escapes, borrowed; nothing is taken if it is not one.
    fn plain_string(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at + 1..)?;
        let end = plain_len(rest);
        let text = std::str::from_utf8(&rest[..end]).ok();
        let text = text.filter(|_| rest.get(end) == Some(&b'"'))?;
        self.at += end + 2;
        Some(text)
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        match letter {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.unicode(),
            _ => Err(ParseError::Syntax {
                message: "unknown escape in a string",
                offset: self.at - 1,
            }),
        }
    }

    /// `\u` and four digits, or a pair of them; half a pair becomes U+FFFD, as in Go.
    fn unicode(&mut self) -> Result<char, ParseError> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if !self.text[self.at..].starts_with(b"\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let back = self.at;
        self.at += 2;
        let low = self.hex4()?;
        if !(0xdc00..0xe000).contains(&low) {
            self.at = back;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        Ok(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, ParseError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let number = (digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit))
            .then(|| {
                std::str::from_utf8(digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok())
            })
            .flatten();
        match number {
            Some(number) => {
                self.at += 4;
                Ok(number)
            }
            None => Err(self.error("expected four hexadecimal digits")),
        }
    }
}

/// A number of so few digits that it cannot be out of range.
fn few_digits(text: &[u8]) -> Option<i64> {
    let digits = text.iter().map(|byte| byte.checked_sub(b'0').map(i64::from));
    let number = |sum: Option<i64>, digit: Option<i64>| Some(sum? * 10 + digit?);
    (text.len() <= 18).then(|| digits.fold(Some(0), number)).flatten()
}
