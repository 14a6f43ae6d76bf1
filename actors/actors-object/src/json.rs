//! JSON, strictly as RFC 8259 has it, into a [`Value`] and out of it.
//!
//! Way in: [`parse`], [`write`].  Never: recursion while reading, so that no body can overflow the
//! stack.
//! Invariants: 1. a parsed tree keeps within its [`Limits`]. 2. what [`write`] writes, [`parse`]
//! reads as an equal tree (whole doubles come back as integers, as Kubernetes' own encoders have
//! it).

mod lexer;
mod scan;
mod writer;

use lexer::{Lexer, Token};
pub use scan::plain_len;
pub use writer::{to_string, to_vec, write, write_pretty};

use crate::{FieldPath, Name, Value, value::Duplicates};

/// Bounds of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of text.
    pub bytes: usize,
    /// Most levels of lists and objects.
    pub depth: usize,
    /// Most fields of one object: they are looked up one by one.
    pub members: usize,
}

impl Limits {
    /// Most levels of lists and objects in any tree.
    pub const DEPTH: usize = 100;
    /// Most bytes of a request's body, as upstream's API server has it.
    pub const BYTES: usize = 3 * 1024 * 1024;
    /// Most fields of one object.
    pub const MEMBERS: usize = 16_384;
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: Self::BYTES, depth: Self::DEPTH, members: Self::MEMBERS }
    }
}

/// A tree, and what strict readers complain about.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The tree; of a name that stood twice it has the last value.
    pub value: Value,
    /// The names that stood more than once in one object, at most 64.
    pub duplicates: Vec<FieldPath>,
}

/// Why a text is not a tree. The sender is told; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON or YAML.
    #[error("{message} at byte {offset}")]
    Syntax {
        /// What is wrong.
        message: &'static str,
        /// Where, counted from 0.
        offset: usize,
    },
    /// It is not YAML.
    #[error("error converting YAML to JSON: {0}")]
    Yaml(String),
    /// It is longer than the limit.
    #[error("body of {len} bytes is larger than the limit of {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// It is nested too deeply.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// One of its objects has too many fields.
    #[error("an object has more than {0} fields")]
    TooManyFields(usize),
}

/// A list or object whose end was not read yet.
enum Frame {
    List(Vec<Value>),
    /// Its fields stand behind those of the objects around it.
    Map {
        start: usize,
        key: Name,
    },
}

/// Reads one JSON text; there may be nothing but white space behind it.
///
/// # Errors
/// [`ParseError`], with the offset of what is wrong.
pub fn parse(text: &[u8], limits: Limits) -> Result<Parsed, ParseError> {
    if text.len() > limits.bytes {
        return Err(ParseError::TooLarge { len: text.len(), max: limits.bytes });
    }
    let mut reader = Reader {
        lexer: Lexer::new(text),
        limits,
        stack: Vec::new(),
        fields: Vec::new(),
        found: Duplicates::default(),
    };
    let value = reader.read()?;
    reader.lexer.end()?;
    Ok(Parsed { value, duplicates: reader.found.paths })
}

/// Reads one JSON text with the default limits and without an eye for duplicates: for our own
/// bytes.
///
/// # Errors
/// [`ParseError`], with the offset of what is wrong.
pub fn from_slice(text: &[u8]) -> Result<Value, ParseError> {
    parse(text, Limits::default()).map(|parsed| parsed.value)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    limits: Limits,
    stack: Vec<Frame>,
    /// What was read of all objects whose ends were not read yet.
    fields: Vec<(Name, Value)>,
    found: Duplicates,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Value, ParseError> {
        loop {
            let token = self.lexer.next()?;
            let mut value = match token {
                Token::Value(value) => value,
                Token::ListStart if self.lexer.take(b']') => Value::List(Vec::new()),
                Token::MapStart if self.lexer.take(b'}') => Value::Map(crate::Map::new()),
                Token::ListStart => {
                    self.push(Frame::List(Vec::new()))?;
                    continue;
                }
                Token::MapStart => {
                    let key = self.lexer.key()?;
                    self.push(Frame::Map { start: self.fields.len(), key })?;
                    continue;
                }
            };
            if self.stack.len() >= self.limits.depth
                && matches!(value, Value::List(_) | Value::Map(_))
            {
                return Err(ParseError::TooDeep(self.limits.depth));
            }
            // A finished value ends its list or object if the closing bracket follows, and so on
            // upwards.
            loop {
                match self.attach(value)? {
                    Attached::More => break,
                    Attached::Closed(closed) => value = closed,
                    Attached::Root(root) => return Ok(root),
                }
            }
        }
    }

    fn push(&mut self, frame: Frame) -> Result<(), ParseError> {
        if self.stack.len() >= self.limits.depth {
            return Err(ParseError::TooDeep(self.limits.depth));
        }
        self.stack.push(frame);
        Ok(())
    }

    /// Puts a finished value where it belongs: into the list or object that was begun last.
    fn attach(&mut self, value: Value) -> Result<Attached, ParseError> {
        match self.stack.last_mut() {
            None => return Ok(Attached::Root(value)),
            Some(Frame::List(items)) => {
                items.push(value);
                if self.lexer.take(b',') {
                    return Ok(Attached::More);
                }
                self.lexer.expect(b']', "expected ',' or ']'")?;
            }
            Some(Frame::Map { start, key }) => {
                if self.lexer.take(b',') {
                    if self.fields.len() - *start + 1 >= self.limits.members {
                        return Err(ParseError::TooManyFields(self.limits.members));
                    }
                    self.fields.push((std::mem::replace(key, self.lexer.key()?), value));
                    return Ok(Attached::More);
                }
                self.lexer.expect(b'}', "expected ',' or '}'")?;
                self.fields.push((std::mem::take(key), value));
            }
        }
        Ok(match self.stack.pop() {
            None => Attached::More,
            Some(Frame::List(items)) => Attached::Closed(Value::List(items)),
            Some(Frame::Map { start, .. }) => {
                let stack = &self.stack;
                let map = self.found.collapse(&mut self.fields, start, || path(stack));
                Attached::Closed(Value::Map(map))
            }
        })
    }
}

/// Where the frame stands that was just taken off the stack.
fn path(stack: &[Frame]) -> FieldPath {
    stack.iter().fold(FieldPath::root(), |path, frame| match frame {
        Frame::List(items) => path.push_index(items.len()),
        Frame::Map { key, .. } => path.push_field(key),
    })
}

enum Attached {
    More,
    Closed(Value),
    Root(Value),
}

#[cfg(test)]
mod tests;
