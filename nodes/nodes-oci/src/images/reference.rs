//! Image references, read and completed the way Kubernetes' users know it.
//!
//! Spec: <https://kubernetes.io/docs/concepts/containers/images/#image-names> and the distribution project's
//! grammar of references: no registry means `docker.io`, no path there means `library/`, no tag means `latest`.

use std::fmt;

use super::Digest;

/// A complete reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Registry and path, such as `docker.io/library/busybox`.
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text names no image.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("an empty image reference")]
    Empty,
    /// The part before the tag breaks the grammar.
    #[error(
        "image reference {0:?}: the repository may hold lower-case letters, digits, and single . _ - / between"
    )]
    Repository(String),
    /// The part after the colon breaks the grammar.
    #[error("image reference {0:?}: a tag has up to 128 letters, digits, and . _ -")]
    Tag(String),
    /// The part after the @ is no sha256 digest.
    #[error("image reference {0:?}: what follows @ must be sha256: and 64 hex digits")]
    Digest(String),
}

const REPOSITORY_LEN_MAX: usize = 255;
const TAG_LEN_MAX: usize = 128;

impl Reference {
    /// Reads and completes a reference: `busybox` becomes `docker.io/library/busybox:latest`.
    ///
    /// # Errors
    /// Names the part that breaks the grammar; the user must correct it.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let shown = || text.chars().take(300).collect::<String>();
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(Digest::parse(digest).map_err(|_| ReferenceError::Digest(shown()))?))
            }
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(shown()));
        }
        let repository = complete_repository(name);
        if !is_repository(&repository) {
            return Err(ReferenceError::Repository(shown()));
        }
        let tag = if digest.is_none() { tag.or_else(|| Some("latest".to_owned())) } else { tag };
        Ok(Self { repository, tag, digest })
    }

    /// Registry and path, without tag and digest.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, absent only where a digest was given without one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that pins the content.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn complete_repository(name: &str) -> String {
    let is_registry = |part: &str| part.contains(['.', ':']) || part == "localhost";
    match name.split_once('/') {
        Some(("docker.io" | "index.docker.io", path)) if path.contains('/') => {
            format!("docker.io/{path}")
        }
        Some(("docker.io" | "index.docker.io", path)) => format!("docker.io/library/{path}"),
        Some((registry, _)) if is_registry(registry) => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

fn is_repository(repository: &str) -> bool {
    let Some((registry, path)) = repository.split_once('/') else { return false };
    let is_registry_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    repository.len() <= REPOSITORY_LEN_MAX
        && !registry.is_empty()
        && registry.bytes().all(is_registry_byte)
        && path.split('/').all(is_path_part)
}

/// Letters and digits, with separators (one of `.`, `_`, `__`, any number of `-`) between them only.
fn is_path_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for byte in part.bytes() {
        if is_word(byte) {
            let is_separator = matches!(separator.as_str(), "" | "." | "_" | "__")
                || separator.bytes().all(|byte| byte == b'-');
            if !is_separator {
                return false;
            }
            separator.clear();
        } else if matches!(byte, b'.' | b'_' | b'-') {
            separator.push(char::from(byte));
        } else {
            return false;
        }
    }
    separator.is_empty() && part.bytes().next().is_some_and(is_word)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_LEN_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}
