//! Names of actors: `kind/key`, the same wherever the actor runs.
//!
//! Way in: [`Address`].  Invariant: `kind` is one word, `key` is not empty.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names one actor: `node/n1`, `pod/default/web-0`, `controller/deployment/default/web`, `store/main/2`.
///
/// `kind/key[@cluster][#incarnation]`: without an incarnation the address is virtual (resolved again each time),
/// with one it is exact (it dies with that incarnation).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    kind: String,
    key: String,
    cluster: Option<String>,
    incarnation: Option<Incarnation>,
}

/// Counts the lives of one address; rises with every restart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Incarnation(pub u64);

/// Why a text is not an address. The caller tells the user; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `/`, or nothing before or behind it.
    #[error("address {0:?} is not of the form kind/key")]
    Shape(String),
    /// What follows `#` is not a number.
    #[error("address {0:?} has an incarnation that is not a number")]
    Incarnation(String),
}

impl Address {
    /// The virtual address of `key` among actors of `kind`.
    #[must_use]
    pub fn new(kind: impl Into<String>, key: impl Into<String>) -> Self {
        Self { kind: kind.into(), key: key.into(), cluster: None, incarnation: None }
    }

    /// The exact address of one incarnation of this actor.
    #[must_use]
    pub fn exact(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// What sort of actor: `node`, `pod`, `controller`…
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which of its sort; may contain `/`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The cluster of a federation; `None` means this one.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// The life that is meant; `None` means whichever is current.
    #[must_use]
    pub fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)?;
        if let Some(cluster) = &self.cluster {
            write!(f, "@{cluster}")?;
        }
        if let Some(Incarnation(number)) = self.incarnation {
            write!(f, "#{number}")?;
        }
        Ok(())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (rest, incarnation) = match text.rsplit_once('#') {
            Some((rest, number)) => {
                let number =
                    number.parse().map_err(|_| AddressError::Incarnation(text.to_owned()))?;
                (rest, Some(Incarnation(number)))
            }
            None => (text, None),
        };
        let (rest, cluster) = match rest.rsplit_once('@') {
            Some((rest, cluster)) => (rest, Some(cluster.to_owned())),
            None => (rest, None),
        };
        match rest.split_once('/') {
            Some((kind, key)) if !kind.is_empty() && !key.is_empty() => {
                Ok(Self { kind: kind.to_owned(), key: key.to_owned(), cluster, incarnation })
            }
            _ => Err(AddressError::Shape(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_a_round_trip() {
        for text in ["node/n1", "pod/default/web-0", "store/main/2#7", "service/default/web@eu-1#3"]
        {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "node", "/n1", "node/"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Shape(text.to_owned())));
        }
        assert_eq!(
            "node/n1#x".parse::<Address>(),
            Err(AddressError::Incarnation("node/n1#x".to_owned()))
        );
    }
}
