//! Which texts are names, and how names are made.
//!
//! Way in: [`dns1123_label`], [`dns1123_subdomain`], [`qualified_name`], [`generate`].  Each check
//! returns what is wrong, in the words that API servers use; nothing if all is well.
//! Spec: Kubernetes documentation, "Object Names and IDs"; RFC 1035, RFC 1123.

use actors_core::Rng;

/// The letters of generated names: no vowels, so that no words come out, and none that look alike.
pub const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Letters that the server adds to a `generateName`.
pub const SUFFIX_LEN: usize = 5;

/// Most bytes of a generated name before its suffix.
pub const GENERATED_BASE_MAX: usize = 63 - SUFFIX_LEN;

/// Most bytes of an RFC 1123 label.
pub const LABEL_MAX: usize = 63;

/// Most bytes of an RFC 1123 subdomain.
pub const SUBDOMAIN_MAX: usize = 253;

const LABEL_REGEX: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_REGEX: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL1035_REGEX: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_REGEX: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// A suffix of [`SUFFIX_LEN`] random letters.
#[must_use]
pub fn suffix(rng: &mut Rng) -> String {
    (0..SUFFIX_LEN)
        .map(|_| char::from(rng.pick(ALPHABET.as_slice()).copied().unwrap_or(b'x')))
        .collect()
}

/// A name from a `generateName`: the base, cut to [`GENERATED_BASE_MAX`] bytes, and a suffix.
#[must_use]
pub fn generate(base: &str, rng: &mut Rng) -> String {
    let cut = (0..=base.len().min(GENERATED_BASE_MAX))
        .rev()
        .find(|at| base.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}{}", &base[..cut], suffix(rng))
}

/// What keeps a text from being an RFC 1123 label: the names of Namespaces, containers…
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, LABEL_MAX);
    if !is_label(text) {
        wrong.push(regex_complaint(
            "must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or \
            digit at both ends",
            LABEL_REGEX,
            &["my-name", "123-abc"],
        ));
    }
    wrong
}

/// What keeps a text from being an RFC 1123 subdomain: the names of most objects.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, SUBDOMAIN_MAX);
    if !text.split('.').all(is_label) {
        wrong.push(regex_complaint(
            "must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a \
            letter or digit at both ends, joined by '.'",
            SUBDOMAIN_REGEX,
            &["example.com"],
        ));
    }
    wrong
}

/// What keeps a text from being an RFC 1035 label: the names of Services.
#[must_use]
pub fn dns1035_label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, LABEL_MAX);
    if !is_label(text) || !text.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        wrong.push(regex_complaint(
            "must be a DNS label (RFC 1035): lower-case letters, digits and '-', with a letter at the \
            beginning and a letter or digit at the end",
            LABEL1035_REGEX,
            &["my-name", "abc-123"],
        ));
    }
    wrong
}

/// What keeps a text from being one segment of a URL's path: the names of RBAC's objects.
#[must_use]
pub fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let bad = ["/", "%"].into_iter().filter(|part| text.contains(part));
    bad.map(|part| format!("may not contain '{part}'")).collect()
}

/// What keeps a text from being a qualified name: the keys of labels and annotations,
/// `prefix/name`.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            wrong.push(regex_complaint(
                "must be a name of letters, digits, '-', '_' and '.', with a letter or digit at both \
                ends, and at most one prefix and '/' before it",
                QUALIFIED_REGEX,
                &["MyName", "my.name", "123-abc"],
            ));
            return wrong;
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                wrong.push("the prefix before '/' must not be empty".to_owned());
            } else {
                wrong.extend(
                    dns1123_subdomain(prefix).into_iter().map(|text| format!("the prefix {text}")),
                );
            }
            name
        }
    };
    if name.is_empty() {
        wrong.push("the name must not be empty".to_owned());
    } else if name.len() > LABEL_MAX {
        wrong.push(format!("the name must have at most {LABEL_MAX} bytes"));
    }
    if !is_qualified(name) {
        wrong.push(format!(
            "the name {}",
            regex_complaint(
                "must be letters, digits, '-', '_' and '.', with a letter or digit at both ends",
                QUALIFIED_REGEX,
                &["MyName", "my.name", "123-abc"],
            )
        ));
    }
    wrong
}

/// What keeps a text from being the value of a label.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, LABEL_MAX);
    if !text.is_empty() && !is_qualified(text) {
        wrong.push(regex_complaint(
            "must be empty, or letters, digits, '-', '_' and '.', with a letter or digit at both ends",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
            &["MyValue", "my_value", "12345"],
        ));
    }
    wrong
}

/// What keeps a text from being the key of a ConfigMap or Secret.
#[must_use]
pub fn config_key(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, SUBDOMAIN_MAX);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(fits) {
        wrong.push(regex_complaint(
            "must be letters, digits, '-', '_' and '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    if text == "." || text == ".." {
        wrong.push(format!("must not be '{text}'"));
    } else if text.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    ends_are(text, plain) && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

fn is_qualified(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    ends_are(text, plain)
        && text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

fn ends_are(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(|byte| fits(*byte)))
}

fn too_long(text: &str, max: usize) -> Vec<String> {
    if text.len() > max { vec![format!("must be no more than {max} bytes")] } else { Vec::new() }
}

fn regex_complaint(rule: &str, regex: &str, examples: &[&str]) -> String {
    let shown: Vec<String> = examples.iter().map(|example| format!("'{example}'")).collect();
    format!("{rule}, for example {} (pattern: {regex})", shown.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str) -> Vec<String>;

    #[test]
    fn names_are_told_apart() {
        let long = "a".repeat(64);
        let table: [(Check, &[&str], &[&str]); 7] = [
            (dns1123_label, &["a", "a-1", "1a"], &["", "A", "-a", "a-", "a.b", "ä", &long]),
            (dns1123_subdomain, &["a", "a.b-c.1", &long], &["", "a..b", ".a", "a_b", "a.-b"]),
            (dns1035_label, &["a", "a1"], &["1a", "", "a.b", &long]),
            (path_segment, &["system:node", "a b"], &[".", "..", "a/b", "a%b"]),
            (
                qualified_name,
                &["app", "a.b/C_d.e", "x.y/z"],
                &["", "/a", "a/", "a/b/c", "-a", "A.b/c d"],
            ),
            (label_value, &["", "A_b.c-1"], &["-a", "a b", &long]),
            (config_key, &["a", ".x", "A_b"], &["", ".", "..", "..a", "a b"]),
        ];
        for (check, good, bad) in table {
            for text in good {
                assert_eq!(check(text), Vec::<String>::new(), "{text}");
            }
            for text in bad {
                assert_ne!(check(text), Vec::<String>::new(), "{text}");
            }
        }
    }

    #[test]
    fn generated_names_fit_and_replay() {
        let (mut one, mut two) = (Rng::from_number(5), Rng::from_number(5));
        let name = generate("web-", &mut one);
        assert_eq!(name.len(), 9);
        assert_eq!(name, generate("web-", &mut two));
        assert_eq!(generate(&"x".repeat(200), &mut one).len(), 63);
        assert_eq!(generate(&"ä".repeat(200), &mut one).len(), 63);
    }
}
