//! The query-string form of label selectors.

use super::{LabelOperator, LabelRequirement, SelectorError};
use crate::names;

/// Most bytes of a selector; URLs are not longer.
const LEN_MAX: usize = 64 * 1024;

pub(super) fn parse(text: &str) -> Result<Vec<LabelRequirement>, SelectorError> {
    if text.len() > LEN_MAX {
        return Err(SelectorError::Syntax(format!("selector is longer than {LEN_MAX} bytes")));
    }
    let mut requirements = Vec::new();
    let mut words = Words { rest: text };
    if words.peek().is_none() {
        return Ok(requirements);
    }
    loop {
        requirements.push(requirement(&mut words)?);
        match words.next() {
            None => return Ok(requirements),
            Some(",") if words.peek().is_some() => {}
            Some(",") => return Err(unexpected("", "identifier after ','")),
            Some(other) => return Err(unexpected(other, "',' or 'end of string'")),
        }
    }
}

/// Words are identifiers and the marks `= == != ! ( ) ,`; `<` and `>` are read so that they can be
/// refused.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        let len = if is_mark(first) {
            let double = self.rest.starts_with("==") || self.rest.starts_with("!=");
            if double { 2 } else { 1 }
        } else {
            self.rest
                .find(|letter: char| is_mark(letter) || letter.is_whitespace())
                .unwrap_or(self.rest.len())
        };
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(word)
    }

    fn peek(&self) -> Option<&'a str> {
        Words { rest: self.rest }.next()
    }
}

fn is_mark(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '<' | '>')
}

fn is_word(text: &str) -> bool {
    !text.starts_with(is_mark)
}

fn requirement(words: &mut Words<'_>) -> Result<LabelRequirement, SelectorError> {
    let first = words.next().unwrap_or_default();
    if first == "!" {
        let key = key(words.next().unwrap_or_default())?;
        return Ok(LabelRequirement {
            key,
            operator: LabelOperator::DoesNotExist,
            values: Vec::new(),
        });
    }
    let key = key(first)?;
    match words.peek() {
        None | Some(",") => {
            Ok(LabelRequirement { key, operator: LabelOperator::Exists, values: Vec::new() })
        }
        Some("=" | "==") => single(words, key, LabelOperator::In),
        Some("!=") => single(words, key, LabelOperator::NotIn),
        Some("in") => several(words, key, LabelOperator::In),
        Some("notin") => several(words, key, LabelOperator::NotIn),
        Some(other) => Err(unexpected(other, "in, notin, =, ==, !=")),
    }
}

fn key(word: &str) -> Result<String, SelectorError> {
    if word.is_empty() || !is_word(word) {
        return Err(unexpected(word, "identifier"));
    }
    match names::qualified_name(word).first() {
        None => Ok(word.to_owned()),
        Some(complaint) => {
            Err(SelectorError::Name(format!("key: Invalid value: {word:?}: {complaint}")))
        }
    }
}

fn value(key: &str, word: &str) -> Result<String, SelectorError> {
    match names::label_value(word).first() {
        None => Ok(word.to_owned()),
        Some(complaint) => Err(SelectorError::Name(format!(
            "values[0][{key}]: Invalid value: {word:?}: {complaint}"
        ))),
    }
}

/// `= value`; no value means the empty one.
fn single(
    words: &mut Words<'_>,
    key: String,
    operator: LabelOperator,
) -> Result<LabelRequirement, SelectorError> {
    words.next();
    let found = match words.peek() {
        None | Some(",") => String::new(),
        Some(word) if is_word(word) => {
            words.next();
            value(&key, word)?
        }
        Some(other) => return Err(unexpected(other, "identifier")),
    };
    Ok(LabelRequirement { key, operator, values: vec![found] })
}

/// `in (a, b)`; a missing value means the empty one.
fn several(
    words: &mut Words<'_>,
    key: String,
    operator: LabelOperator,
) -> Result<LabelRequirement, SelectorError> {
    words.next();
    match words.next() {
        Some("(") => {}
        other => return Err(unexpected(other.unwrap_or_default(), "'('")),
    }
    let mut values = Vec::new();
    loop {
        let found = match words.peek() {
            Some(word) if is_word(word) => {
                words.next();
                value(&key, word)?
            }
            _ => String::new(),
        };
        if !values.contains(&found) {
            values.push(found);
        }
        match words.next() {
            Some(",") => {}
            Some(")") => {
                values.sort();
                return Ok(LabelRequirement { key, operator, values });
            }
            other => return Err(unexpected(other.unwrap_or_default(), "',' or ')'")),
        }
    }
}

fn unexpected(found: &str, expected: &str) -> SelectorError {
    SelectorError::Syntax(format!("found '{found}', expected: {expected}"))
}
