//! Field selectors: a few fields of each kind, compared for equality.

use std::fmt;

use super::SelectorError;

/// Requirements on fields, all of which must hold. Which fields a kind has, its facts say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

/// A requirement on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field: `metadata.name`, `status.phase`.
    pub field: String,
    /// Whether it must differ from the value.
    pub negated: bool,
    /// The value.
    pub value: String,
}

impl FieldSelector {
    /// Selects everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects the object of one name.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self::field("metadata.name", name)
    }

    /// Selects by one field.
    #[must_use]
    pub fn field(field: &str, value: &str) -> Self {
        let requirement =
            FieldRequirement { field: field.to_owned(), negated: false, value: value.to_owned() };
        Self { requirements: vec![requirement] }
    }

    /// Reads `a=b,c!=d,e==f`; `\` escapes `,`, `=` and itself in values.
    ///
    /// # Errors
    /// [`SelectorError::Syntax`], worded for the client.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let terms = split_terms(text);
        let requirements =
            terms.iter().filter(|term| !term.is_empty()).map(|term| requirement(term));
        Ok(Self { requirements: requirements.collect::<Result<_, _>>()? })
    }

    /// The requirements.
    #[must_use]
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The value that a field must have, if one is required.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|term| term.field == field && !term.negated);
        found.map(|term| term.value.as_str())
    }

    /// Whether an object whose fields `lookup` knows fulfils every requirement; a field that it
    /// does not know counts as empty.
    #[must_use]
    pub fn matches<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        let equal = |term: &FieldRequirement| lookup(&term.field).unwrap_or_default() == term.value;
        self.requirements.iter().all(|term| equal(term) != term.negated)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, term) in self.requirements.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let operator = if term.negated { "!=" } else { "=" };
            let value = term.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            write!(f, "{comma}{}{operator}{value}", term.field)?;
        }
        Ok(())
    }
}

/// Splits at commas that are not escaped; escapes stay.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn requirement(term: &str) -> Result<FieldRequirement, SelectorError> {
    let wrong =
        || SelectorError::Syntax(format!("invalid selector: '{term}'; can't understand '{term}'"));
    let at = term.find('=').ok_or_else(wrong)?;
    let (field, negated) = match term[..at].strip_suffix('!') {
        Some(field) => (field, true),
        None => (&term[..at], false),
    };
    let rest = &term[at + 1..];
    let value = if negated { rest } else { rest.strip_prefix('=').unwrap_or(rest) };
    let value = unescape(value).ok_or_else(wrong)?;
    Ok(FieldRequirement { field: field.trim().to_owned(), negated, value })
}

fn unescape(text: &str) -> Option<String> {
    let mut value = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                escaped @ ('\\' | ',' | '=') => value.push(escaped),
                _ => return None,
            },
            '=' => return None,
            plain => value.push(plain),
        }
    }
    Some(value)
}
