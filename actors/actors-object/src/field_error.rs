//! What is wrong with one field, in Kubernetes' words.
//!
//! Way in: [`FieldError`].  Spec: the causes of `metav1.Status`, as API servers word them:
//! `spec.replicas: Invalid value: -1: must be greater than or equal to 0`.

use std::fmt;

use crate::{FieldPath, Value, json};

/// One complaint about one field of a refused object.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// Which field.
    pub path: FieldPath,
    /// What sort of complaint.
    pub kind: FieldErrorKind,
    /// The value that was refused, where the wording shows it.
    pub value: Option<Value>,
    /// What would have been right; may be empty.
    pub detail: String,
}

/// The sorts of complaint that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldErrorKind {
    /// The field must be there.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value has the wrong type.
    TypeInvalid,
    /// The value is not one of a fixed set.
    NotSupported,
    /// The field may not be set, or not be changed, here.
    Forbidden,
    /// The value must be unique and is not.
    Duplicate,
    /// The text is too long.
    TooLong,
    /// There are too many items.
    TooMany,
    /// What the value names does not exist.
    NotFound,
    /// The server failed while it looked at the field.
    Internal,
}

impl FieldErrorKind {
    /// The `reason` of a cause.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::Internal => "InternalError",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
            Self::Internal => "Internal error",
        }
    }
}

impl FieldError {
    /// The field must be there.
    #[must_use]
    pub fn required(path: &FieldPath, detail: impl Into<String>) -> Self {
        Self::plain(path, FieldErrorKind::Required, detail)
    }

    /// The value breaks a rule.
    #[must_use]
    pub fn invalid(path: &FieldPath, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::shown(path, FieldErrorKind::Invalid, (value.into(), detail.into()))
    }

    /// The value has the wrong type.
    #[must_use]
    pub fn type_invalid(
        path: &FieldPath,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::shown(path, FieldErrorKind::TypeInvalid, (value.into(), detail.into()))
    }

    /// The value is none of `supported`.
    #[must_use]
    pub fn not_supported(path: &FieldPath, value: impl Into<Value>, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|text| format!("{text:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        Self::shown(path, FieldErrorKind::NotSupported, (value.into(), detail))
    }

    /// The field may not be set, or not be changed, here.
    #[must_use]
    pub fn forbidden(path: &FieldPath, detail: impl Into<String>) -> Self {
        Self::plain(path, FieldErrorKind::Forbidden, detail)
    }

    /// The value stands twice.
    #[must_use]
    pub fn duplicate(path: &FieldPath, value: impl Into<Value>) -> Self {
        Self::shown(path, FieldErrorKind::Duplicate, (value.into(), String::new()))
    }

    /// The text is longer than `max` bytes.
    #[must_use]
    pub fn too_long(path: &FieldPath, max: usize) -> Self {
        Self::plain(path, FieldErrorKind::TooLong, format!("may not be more than {max} bytes"))
    }

    /// There are `count` items, more than `max`.
    #[must_use]
    pub fn too_many(path: &FieldPath, count: usize, max: usize) -> Self {
        let detail = format!("must have at most {max} items");
        Self::shown(path, FieldErrorKind::TooMany, (count.into(), detail))
    }

    /// What the value names does not exist.
    #[must_use]
    pub fn not_found(path: &FieldPath, value: impl Into<Value>) -> Self {
        Self::shown(path, FieldErrorKind::NotFound, (value.into(), String::new()))
    }

    fn plain(path: &FieldPath, kind: FieldErrorKind, detail: impl Into<String>) -> Self {
        Self { path: path.clone(), kind, value: None, detail: detail.into() }
    }

    fn shown(path: &FieldPath, kind: FieldErrorKind, (value, detail): (Value, String)) -> Self {
        Self { path: path.clone(), kind, value: Some(value), detail }
    }

    /// The complaint without the path, as a cause's `message` has it.
    #[must_use]
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(&shown_value(value));
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

/// The value as messages show it: its JSON text, cut where nobody reads on.
fn shown_value(value: &Value) -> String {
    const SHOWN_MAX: usize = 512;
    let mut text = json::to_string(value);
    if text.len() > SHOWN_MAX {
        let cut = (0..=SHOWN_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_root() { "<nil>".to_owned() } else { self.path.to_string() };
        write!(f, "{path}: {}", self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &FieldError, expected: &str) {
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn complaints_are_worded_as_kubernetes_words_them() {
        let replicas = FieldPath::of(&["spec", "replicas"]);
        check(
            &FieldError::invalid(&replicas, -1, "must be greater than or equal to 0"),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        );
        check(&FieldError::required(&replicas, ""), "spec.replicas: Required value");
        check(
            &FieldError::not_supported(&FieldPath::new("type"), "x", &["A", "B"]),
            "type: Unsupported value: \"x\": supported values: \"A\", \"B\"",
        );
        check(&FieldError::duplicate(&FieldPath::new("name"), "a"), "name: Duplicate value: \"a\"");
        check(
            &FieldError::too_long(&FieldPath::new("name"), 3),
            "name: Too long: may not be more than 3 bytes",
        );
        check(&FieldError::forbidden(&FieldPath::new("spec"), "no"), "spec: Forbidden: no");
        check(
            &FieldError::too_many(&FieldPath::new("items"), 3, 2),
            "items: Too many: 3: must have at most 2 items",
        );
    }
}
