//! YAML into the same tree as JSON.
//!
//! Way in: [`parse`].  Never: a tag, an include or a property that reaches outside the text.
//! Bounds: those of [`Limits`], and at most 1,000 replayed anchors with 50,000 nodes, so that aliases cannot explode.

mod block;

use serde::de::{Deserialize, DeserializeSeed, Deserializer};

use crate::{
    Value,
    json::{self, Limits, ParseError, Parsed},
    value::{Duplicates, Seed},
};

pub use block::to_block;

/// Reads one YAML document.
///
/// # Errors
/// [`ParseError`], with the line of what is wrong.
pub fn parse(text: &[u8], limits: Limits) -> Result<Parsed, ParseError> {
    if text.len() > limits.bytes {
        return Err(ParseError::TooLarge { len: text.len(), max: limits.bytes });
    }
    // Clients send JSON where YAML may stand, for it is YAML too, and read much faster.
    if text.trim_ascii_start().starts_with(b"{")
        && let Ok(parsed) = json::parse(text, limits)
    {
        return Ok(parsed);
    }
    let mut found = Duplicates::default();
    let value = serde_saphyr::with_deserializer_from_slice_with_options(
        text,
        options(limits),
        |document| Seed::new(limits, &mut found).deserialize(document),
    );
    let value = value.map_err(|error| ParseError::Yaml(error.to_string()))?;
    Ok(Parsed { value, duplicates: found.paths })
}

/// Reads all documents of a YAML stream; empty ones are left out.
///
/// # Errors
/// [`ParseError`] of the first document that is not YAML.
pub fn parse_all(text: &[u8], limits: Limits) -> Result<Vec<Value>, ParseError> {
    if text.len() > limits.bytes {
        return Err(ParseError::TooLarge { len: text.len(), max: limits.bytes });
    }
    let text = std::str::from_utf8(text).map_err(|error| ParseError::Yaml(error.to_string()))?;
    let documents: Vec<Document> = serde_saphyr::from_multiple_with_options(text, options(limits))
        .map_err(|error| ParseError::Yaml(error.to_string()))?;
    Ok(documents
        .into_iter()
        .map(|Document(value)| value)
        .filter(|value| !value.is_null())
        .collect())
}

/// The YAML text of a tree, ended by a line break.
///
/// # Errors
/// [`ParseError::Yaml`] if the tree cannot be written as YAML.
pub fn to_string(value: &Value) -> Result<String, ParseError> {
    let mut text =
        serde_saphyr::to_string(value).map_err(|error| ParseError::Yaml(error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

/// Most levels in YAML: its reader recurses, and this many fit the smallest stack that a thread of
/// ours has, in debug builds too.
const DEPTH_MAX: usize = 48;

fn options(limits: Limits) -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // `defaultMode: 0644` is meant as it is written, and as every tool of Kubernetes reads it.
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: limits.depth.min(DEPTH_MAX),
            max_aliases: 1_000,
            max_nodes: limits.bytes,
        },
        // A bomb is refused in milliseconds; whoever writes by hand stays far below.
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
        },
    }
}

#[cfg(test)]
mod tests;
