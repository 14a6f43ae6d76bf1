//! What Kubernetes says of its types and fields, for people.
//!
//! Way in: [`Descriptions::open`].  Owns: a compressed text that was made when this crate was built (`build.rs`), out of
//! the source of the crate `k8s-openapi` (Apache-2.0).  Never: a fact; nothing is decided by what stands here.
//! Bounds: opened, it is one text of about 900 kB; who needs it opens it, and lets go of it again.

use std::io::Read as _;

use actors_kinds::openapi::Describe;
use flate2::read::DeflateDecoder;

static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.deflate"));

/// All descriptions.
#[derive(Debug, Clone)]
pub struct Descriptions {
    /// Invariant: lines of `TYPE<tab>FIELD<tab>DESCRIPTION`.
    text: String,
    /// Invariant: where the lines begin and end, sorted by type and field.
    lines: Vec<(usize, usize)>,
}

impl Descriptions {
    /// Decompresses them.
    #[must_use]
    pub fn open() -> Self {
        let mut text = String::new();
        // The bytes are those that build.rs wrote; a test reads them all.
        if DeflateDecoder::new(COMPRESSED).read_to_string(&mut text).is_err() {
            text.clear();
        }
        let mut lines = Vec::new();
        let mut begin = 0;
        for line in text.split('\n') {
            lines.push((begin, begin + line.len()));
            begin += line.len() + 1;
        }
        let key = |line: &(usize, usize)| {
            let (name, field, _) = parts(text.get(line.0..line.1).unwrap_or_default());
            (name.to_owned(), field.to_owned())
        };
        lines.sort_by_cached_key(key);
        Self { text, lines }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn line(&self, at: &(usize, usize)) -> (&str, &str, &str) {
        parts(self.text.get(at.0..at.1).unwrap_or_default())
    }
}

fn parts(line: &str) -> (&str, &str, &str) {
    let mut parts = line.splitn(3, '\t');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

impl Describe for Descriptions {
    fn describe(&self, type_name: &str, field: Option<&str>) -> Option<String> {
        let wanted = (type_name, field.unwrap_or_default());
        let found = self.lines.binary_search_by(|at| {
            let (name, field, _) = self.line(at);
            (name, field).cmp(&wanted)
        });
        let (_, _, text) = self.line(self.lines.get(found.ok()?)?);
        Some(unescaped(text))
    }
}

/// Line ends, tabs and backslashes stand escaped, as in the source that they come from.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter == '\\').then(|| letters.next()).flatten() {
            None => out.push(letter),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use actors_kinds::{Registry, openapi};

    use super::*;

    #[test]
    fn types_and_fields_are_described() {
        let all = Descriptions::open();
        let spec = "io.k8s.api.apps.v1.DeploymentSpec";
        let said = |field| all.describe(spec, field).unwrap_or_default();
        assert!(said(None).contains("desired behavior of the Deployment"), "{}", said(None));
        let replicas = said(Some("replicas"));
        assert!(replicas.contains("Number of desired pods"), "{replicas}");
        assert_eq!(all.describe(spec, Some("nothing")), None);
        assert_eq!(all.describe("io.k8s.Nothing", None), None);
        let template = said(Some("template"));
        assert!(template.ends_with("is \"Always\"."), "{template}");
    }

    #[test]
    fn every_field_of_what_is_served_has_its_text() {
        let registry = Registry::builtin().expect("the tables are good");
        let all = Descriptions::open();
        assert!(all.len() > 3_000 && COMPRESSED.len() < 256 * 1_024, "{}", COMPRESSED.len());
        let (mut said, mut silent) = (0, Vec::new());
        for place in openapi::places(&registry) {
            let document = openapi::document(&registry, &place.group, &place.version, &all);
            let document = document.expect("served");
            for (name, schema) in document.map_at(&["components", "schemas"]).iter() {
                for (field, facts) in schema.map_at(&["properties"]).iter() {
                    match facts.at("description").as_str() {
                        Some(_) => said += 1,
                        None => silent.push(format!("{name}.{field}")),
                    }
                }
            }
        }
        // That crate has one generic type for all lists; of the others Kubernetes itself says nothing.
        let unsaid = [
            "List.",
            "JSONSchemaProps.",
            "ExternalDocumentation.",
            "CertificateSigningRequest.metadata",
            "IngressRule.http",
        ];
        silent.retain(|name| !unsaid.iter().any(|part| name.contains(part)));
        assert_eq!(silent, Vec::<String>::new(), "of {said}");
        assert!(said > 1_000, "{said}");
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(r"a\nb\\n\tc"), "a\nb\\n\tc");
    }
}
