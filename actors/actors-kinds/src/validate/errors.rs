//! What was found wrong with one object so far.
//!
//! Way in: [`Errors`].  Invariant: at most [`Errors::MAX`] errors are kept; an object that broken is not read
//! to its end by anyone.

use actors_object::{FieldError, Value};

use super::{spot::Spot, text::Faults};

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    const MAX: usize = 256;

    pub(crate) fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    pub(crate) fn push(&mut self, error: FieldError) {
        if self.0.len() < Self::MAX {
            self.0.push(error);
        }
    }

    /// The field must be there.
    pub(crate) fn required(&mut self, spot: &Spot<'_>, detail: &str) {
        self.push(FieldError::required(&spot.path(), detail));
    }

    /// The value breaks a rule.
    pub(crate) fn invalid(&mut self, spot: &Spot<'_>, detail: &str) {
        self.push(FieldError::invalid(&spot.path(), spot.value.clone(), detail));
    }

    /// A value from below a place breaks a rule of the place.
    pub(crate) fn invalid_value(&mut self, spot: &Spot<'_>, value: impl Into<Value>, detail: &str) {
        self.push(FieldError::invalid(&spot.path(), value, detail));
    }

    /// All texts of a list are among a few; an error names the list.
    pub(crate) fn all_of(&mut self, above: &Spot<'_>, list: &str, supported: &[&str]) {
        for item in above.each(list).filter(|item| !supported.contains(&item.text())) {
            let path = above.field(list).path();
            self.push(FieldError::not_supported(&path, item.value.clone(), supported));
        }
    }

    /// The value breaks some rules.
    pub(crate) fn invalid_each(&mut self, spot: &Spot<'_>, details: &[String]) {
        details.iter().for_each(|detail| self.invalid(spot, detail));
    }

    /// The field may not be set, or not be changed.
    pub(crate) fn forbidden(&mut self, spot: &Spot<'_>, detail: &str) {
        self.push(FieldError::forbidden(&spot.path(), detail));
    }

    /// The value stands twice.
    pub(crate) fn duplicate(&mut self, spot: &Spot<'_>, value: &Value) {
        self.push(FieldError::duplicate(&spot.path(), value.clone()));
    }

    /// The value names something that is not there.
    pub(crate) fn not_found(&mut self, spot: &Spot<'_>) {
        self.push(FieldError::not_found(&spot.path(), spot.value.clone()));
    }

    /// A text that is set follows a rule.
    pub(crate) fn check(&mut self, spot: &Spot<'_>, rule: fn(&str) -> Faults) {
        if !spot.is_empty() {
            self.invalid_each(spot, &rule(spot.text()));
        }
    }

    /// A text that must be set follows a rule.
    pub(crate) fn check_required(&mut self, spot: &Spot<'_>, rule: fn(&str) -> Faults) {
        if spot.is_empty() {
            self.required(spot, "");
        } else {
            self.check(spot, rule);
        }
    }

    /// A text that is set is one of a few.
    pub(crate) fn one_of(&mut self, spot: &Spot<'_>, supported: &[&str]) {
        if !spot.is_empty() && !supported.contains(&spot.text()) {
            self.push(FieldError::not_supported(&spot.path(), spot.value.clone(), supported));
        }
    }

    /// A text that must be set is one of a few.
    pub(crate) fn one_of_required(&mut self, spot: &Spot<'_>, supported: &[&str]) {
        if spot.is_empty() {
            self.required(spot, &format!("must be one of {}", supported.join(", ")));
        } else {
            self.one_of(spot, supported);
        }
    }

    /// A number that is set is not below a bound.
    pub(crate) fn at_least(&mut self, spot: &Spot<'_>, min: i64) {
        if spot.int().is_some_and(|number| number < min) {
            self.invalid(spot, &format!("must be greater than or equal to {min}"));
        }
    }

    /// A number that is set lies between two bounds.
    pub(crate) fn between(&mut self, spot: &Spot<'_>, min: i64, max: i64) {
        if spot.int().is_some_and(|number| !(min..=max).contains(&number)) {
            self.invalid(spot, &format!("must be between {min} and {max}, inclusive"));
        }
    }

    /// A port that must be set is in range.
    pub(crate) fn port(&mut self, spot: &Spot<'_>) {
        match spot.int() {
            None => self.required(spot, ""),
            Some(number) => self.invalid_each(spot, &super::text::port_number(number)),
        }
    }

    /// A port's number or name, which must be set.
    pub(crate) fn port_or_name(&mut self, spot: &Spot<'_>) {
        if spot.value.as_str().is_some() {
            self.check_required(spot, super::text::port_name);
        } else {
            self.port(spot);
        }
    }

    /// A field that may not change.
    pub(crate) fn immutable(&mut self, new: &Spot<'_>, old: &Spot<'_>) {
        if !is_same(new.value, old.value) {
            self.invalid(new, "field is immutable");
        }
    }

    /// A field that may not change, since others rely on what it was.
    pub(crate) fn forbid_change(&mut self, new: &Spot<'_>, old: &Spot<'_>, name: &str) {
        if !is_same(new.value, old.value) {
            self.forbidden(new, &format!("updates to {name} are forbidden"));
        }
    }

    /// A list holds only so many items.
    pub(crate) fn too_many(&mut self, list: &Spot<'_>, max: usize) {
        if list.len() > max {
            self.push(FieldError::too_many(&list.path(), list.len(), max));
        }
    }

    /// A text has only so many bytes.
    pub(crate) fn too_long(&mut self, spot: &Spot<'_>, max: usize) {
        if spot.text().len() > max {
            self.push(FieldError::too_long(&spot.path(), max));
        }
    }

    /// Something that must be set, and not be empty.
    pub(crate) fn filled(&mut self, spot: &Spot<'_>) {
        if spot.is_empty() {
            self.required(spot, "");
        }
    }

    /// No two items of a list of texts are the same.
    pub(crate) fn distinct(&mut self, above: &Spot<'_>, list: &str) {
        let items = above.value.at(list).as_list().unwrap_or_default();
        for (index, item) in above.each(list).enumerate() {
            if items.get(..index).unwrap_or_default().contains(item.value) {
                self.duplicate(&item, item.value);
            }
        }
    }

    /// No two items of a list have the same value in a field.
    pub(crate) fn unique(&mut self, above: &Spot<'_>, list: &str, key: &str) {
        let items = above.value.at(list).as_list().unwrap_or_default();
        for (index, item) in above.each(list).enumerate() {
            let field = item.field(key);
            let before = items.get(..index).unwrap_or_default();
            if !field.is_empty() && before.iter().any(|other| other.at(key) == field.value) {
                self.duplicate(&field, field.value);
            }
        }
    }
}

/// Whether two fields say the same: an empty one says what an absent one says.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_empty_value() && other.is_empty_value())
}
