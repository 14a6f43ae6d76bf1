//! Which objects are meant: by their labels, or by a few of their fields.
//!
//! Way in: [`LabelSelector`], [`FieldSelector`].  Spec: Kubernetes documentation, "Labels and
//! Selectors" and "Field Selectors"; a key that is absent matches `!=` and `notin`.

mod field;
mod text;

use std::fmt;

pub use field::{FieldRequirement, FieldSelector};

use crate::{FieldError, FieldPath, Map, Value, names};

/// Anything that has labels.
pub trait LabelSet {
    /// The value of one label.
    fn label_value(&self, key: &str) -> Option<&str>;
}

impl LabelSet for Map {
    fn label_value(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }
}

impl LabelSet for Value {
    fn label_value(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_str)
    }
}

impl LabelSet for [(String, String)] {
    fn label_value(&self, key: &str) -> Option<&str> {
        self.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl LabelSet for Vec<(String, String)> {
    fn label_value(&self, key: &str) -> Option<&str> {
        self.as_slice().label_value(key)
    }
}

/// A set of requirements on labels, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector {
    /// True for a selector that selects nothing, as an absent one does.
    nothing: bool,
    requirements: Vec<LabelRequirement>,
}

/// A requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// How its value is compared.
    pub operator: LabelOperator,
    /// With what; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelOperator {
    /// The label is there and has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Why a text is not a selector. The sender is told; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// It does not follow the grammar.
    #[error("unable to parse requirement: {0}")]
    Syntax(String),
    /// A key or value is not one.
    #[error("{0}")]
    Name(String),
}

impl LabelSelector {
    /// Selects everything, as an empty selector does.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects nothing, as an absent selector does.
    #[must_use]
    pub fn nothing() -> Self {
        Self { nothing: true, requirements: Vec::new() }
    }

    /// Reads the form of query strings: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// [`SelectorError`], worded for the client.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        text::parse(text).map(|requirements| Self { nothing: false, requirements })
    }

    /// Reads a `metav1.LabelSelector`. `null` selects nothing.
    ///
    /// # Errors
    /// What is wrong, with paths below `path`.
    pub fn from_value(selector: &Value, path: &FieldPath) -> Result<Self, Vec<FieldError>> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let mut all = Self::from_map(selector.map_at(&["matchLabels"]));
        let mut errors = Vec::new();
        let labels = path.push_field("matchLabels");
        for (key, value) in selector.map_at(&["matchLabels"]).iter() {
            let complaints = names::qualified_name(key).into_iter();
            errors.extend(complaints.map(|text| FieldError::invalid(&labels, key, text)));
            let complaints = names::label_value(value.as_str().unwrap_or_default()).into_iter();
            errors.extend(
                complaints.map(|text| FieldError::invalid(&labels.push_key(key), value, text)),
            );
        }
        let expressions = path.push_field("matchExpressions");
        for (number, entry) in selector.list_at(&["matchExpressions"]).iter().enumerate() {
            match LabelRequirement::from_value(entry, &expressions.push_index(number)) {
                Ok(requirement) => all.requirements.push(requirement),
                Err(wrong) => errors.extend(wrong),
            }
        }
        if errors.is_empty() { Ok(all) } else { Err(errors) }
    }

    /// Reads a map of labels that must be equal, as Services have it.
    #[must_use]
    pub fn from_map(labels: &Map) -> Self {
        let equal = |(key, value): (&crate::Name, &Value)| LabelRequirement {
            key: key.as_str().to_owned(),
            operator: LabelOperator::In,
            values: vec![value.as_str().unwrap_or_default().to_owned()],
        };
        Self { nothing: false, requirements: labels.iter().map(equal).collect() }
    }

    /// Whether these labels fulfil every requirement.
    #[must_use]
    pub fn matches<L: LabelSet + ?Sized>(&self, labels: &L) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// The requirements; none for a selector of everything and for one of nothing.
    #[must_use]
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.requirements
    }
}

impl LabelRequirement {
    fn from_value(entry: &Value, path: &FieldPath) -> Result<Self, Vec<FieldError>> {
        let key = entry.at("key").as_str().unwrap_or_default().to_owned();
        let values: Vec<String> = entry
            .list_at(&["values"])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut errors = Vec::new();
        let at = path.push_field("operator");
        let operator = match entry.at("operator").as_str().unwrap_or_default() {
            "In" => Some(LabelOperator::In),
            "NotIn" => Some(LabelOperator::NotIn),
            "Exists" => Some(LabelOperator::Exists),
            "DoesNotExist" => Some(LabelOperator::DoesNotExist),
            other => {
                errors.push(FieldError::invalid(&at, other, "not a valid selector operator"));
                None
            }
        };
        let at = path.push_field("values");
        match operator {
            Some(LabelOperator::In | LabelOperator::NotIn) if values.is_empty() => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&at, why));
            }
            Some(LabelOperator::Exists | LabelOperator::DoesNotExist) if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&at, why));
            }
            _ => {}
        }
        let complaints = names::qualified_name(&key).into_iter();
        errors.extend(
            complaints.map(|text| FieldError::invalid(&path.push_field("key"), &key, text)),
        );
        for (number, value) in values.iter().enumerate() {
            let complaints = names::label_value(value).into_iter();
            errors.extend(
                complaints.map(|text| FieldError::invalid(&at.push_index(number), value, text)),
            );
        }
        match operator {
            Some(operator) if errors.is_empty() => Ok(Self { key, operator, values }),
            _ => Err(errors),
        }
    }

    /// Whether these labels fulfil it.
    #[must_use]
    pub fn matches<L: LabelSet + ?Sized>(&self, labels: &L) -> bool {
        let found = labels.label_value(&self.key);
        let is_among = |found: &str| self.values.iter().any(|value| value == found);
        match self.operator {
            LabelOperator::In => found.is_some_and(is_among),
            LabelOperator::NotIn => !found.is_some_and(is_among),
            LabelOperator::Exists => found.is_some(),
            LabelOperator::DoesNotExist => found.is_none(),
        }
    }
}

impl fmt::Display for LabelSelector {
    /// The form of query strings; the empty text for a selector of everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, requirement) in self.requirements.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(requirement, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match (self.operator, self.values.as_slice()) {
            (LabelOperator::In, [value]) => write!(f, "{key}={value}"),
            (LabelOperator::NotIn, [value]) => write!(f, "{key}!={value}"),
            (LabelOperator::In, values) => write!(f, "{key} in ({})", values.join(",")),
            (LabelOperator::NotIn, values) => write!(f, "{key} notin ({})", values.join(",")),
            (LabelOperator::Exists, _) => f.write_str(key),
            (LabelOperator::DoesNotExist, _) => write!(f, "!{key}"),
        }
    }
}

#[cfg(test)]
mod tests;
