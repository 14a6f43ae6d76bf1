//! Where in an object something stands: `spec.containers[0].image`,
//! `metadata.labels[app.kubernetes.io/name]`.
//!
//! Way in: [`FieldPath`].  Spec: the field paths of Kubernetes' error causes.

use std::{fmt, sync::Arc};

/// A path from the root of an object. Cheap to extend and clone: paths share their beginnings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(Option<Arc<Link>>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    before: FieldPath,
    step: Step,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Field(String),
    Index(usize),
    Key(String),
}

impl FieldPath {
    /// The object itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(None)
    }

    /// The path of a field of the root.
    #[must_use]
    pub fn new(field: &str) -> Self {
        Self::root().push_field(field)
    }

    /// The path of nested fields: `FieldPath::of(&["spec", "replicas"])`.
    #[must_use]
    pub fn of(fields: &[&str]) -> Self {
        fields.iter().fold(Self::root(), |path, field| path.push_field(field))
    }

    /// The path of a field below: `.name`.
    #[must_use]
    pub fn push_field(&self, name: &str) -> Self {
        self.push(Step::Field(name.to_owned()))
    }

    /// The path of an item below: `[3]`.
    #[must_use]
    pub fn push_index(&self, index: usize) -> Self {
        self.push(Step::Index(index))
    }

    /// The path of an entry of a map below: `[key]`.
    #[must_use]
    pub fn push_key(&self, key: &str) -> Self {
        self.push(Step::Key(key.to_owned()))
    }

    /// Whether this is the object itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    fn push(&self, step: Step) -> Self {
        Self(Some(Arc::new(Link { before: self.clone(), step })))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = Vec::new();
        let mut at = self;
        while let Some(link) = &at.0 {
            steps.push(&link.step);
            at = &link.before;
        }
        for (number, step) in steps.iter().rev().enumerate() {
            match step {
                Step::Field(name) if number == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_kubernetes_writes_them() {
        let spec = FieldPath::new("spec");
        assert_eq!(
            spec.push_field("containers").push_index(0).push_field("image").to_string(),
            "spec.containers[0].image"
        );
        let label = FieldPath::of(&["metadata", "labels"]).push_key("app.kubernetes.io/name");
        assert_eq!(label.to_string(), "metadata.labels[app.kubernetes.io/name]");
        assert_eq!(FieldPath::root().to_string(), "");
    }
}
