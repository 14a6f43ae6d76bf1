//! Bootstrap tokens as credentials: for machines and people that have nothing else yet.
//!
//! Way in: [`bootstrap_identity`].  Never: a signature; the Secret `bootstrap-token-ID` in `kube-system` is the truth.
//! Spec: Kubernetes documentation, "Authenticating with Bootstrap Tokens": `ID.SECRET`, the user
//! `system:bootstrap:ID`, the group `system:bootstrappers` and those of `auth-extra-groups`.

use actors_core::Wall;
use actors_object::{Object, timefmt};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use store_catalog::Snapshot;
use store_mvcc::Key;

use crate::Identity;

const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
const GROUP: &str = "system:bootstrappers";
const ID_LEN: usize = 6;
const SECRET_LEN: usize = 16;

/// Who shows this token, or `None` if it has another form, is nobody's, is expired, was taken back, or may not be used
/// for requests.
#[must_use]
pub fn bootstrap_identity(token: &str, snapshot: &Snapshot, now: Wall) -> Option<Identity> {
    let (id, secret) = token.split_once('.')?;
    if !is_part(id, ID_LEN) || !is_part(secret, SECRET_LEN) {
        return None;
    }
    let name = format!("bootstrap-token-{id}");
    let stored = snapshot.get(&Key::object("", "secrets", Some("kube-system"), &name))?;
    let stored = stored.try_object().ok()?;
    let good = stored.str_at(&["type"]) == Some(SECRET_TYPE)
        && !stored.is_terminating()
        && text(&stored, "token-id")? == id
        && is_same(&text(&stored, "token-secret")?, secret)
        && is_true(&stored, "usage-bootstrap-authentication")
        && !is_true(&stored, "revoked")
        // One that was for one machine has done its work.
        && !(is_true(&stored, "once") && text(&stored, "used-by").is_some())
        && !is_over(&stored, now);
    good.then(|| identity(id, &stored)).flatten()
}

fn identity(id: &str, stored: &Object) -> Option<Identity> {
    let mut groups = vec![GROUP.to_owned()];
    let extra = text(stored, "auth-extra-groups").unwrap_or_default();
    for group in extra.split(',').filter(|group| !group.is_empty()) {
        // One bad name makes the whole list void: nobody is to be let in by half of it.
        if !is_group(group) {
            return None;
        }
        groups.push(group.to_owned());
    }
    groups.push("system:authenticated".to_owned());
    Some(Identity { user: format!("system:bootstrap:{id}"), groups, ..Identity::default() })
}

/// `system:bootstrappers:` and small letters, digits, colons and dashes, with a letter or digit at the end.
fn is_group(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("system:bootstrappers:") else { return false };
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    rest.len() <= 256
        && rest.bytes().all(|byte| good(byte) || matches!(byte, b':' | b'-'))
        && rest.bytes().last().is_some_and(good)
}

fn is_part(text: &str, len: usize) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() == len && text.bytes().all(good)
}

fn text(secret: &Object, key: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret.str_at(&["data", key])?).ok()?;
    String::from_utf8(bytes).ok()
}

fn is_true(secret: &Object, key: &str) -> bool {
    text(secret, key).as_deref() == Some("true")
}

/// An end that nobody can read has come already.
fn is_over(secret: &Object, now: Wall) -> bool {
    match text(secret, "expiration").filter(|text| !text.is_empty()) {
        None => false,
        Some(end) => timefmt::parse(&end).is_none_or(|end| now >= end),
    }
}

/// Compares without telling by the time it takes where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    let differ = |(one, other): (u8, u8)| one ^ other;
    let bits = one.bytes().zip(other.bytes()).map(differ).fold(0, |all, bits| all | bits);
    one.len() == other.len() && bits == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_groups_are_those_of_bootstrappers_only() {
        for good in ["system:bootstrappers:a", "system:bootstrappers:kubeadm:default-node-token"] {
            assert!(is_group(good), "{good}");
        }
        for bad in ["system:masters", "system:bootstrappers:", "system:bootstrappers:A", "x"] {
            assert!(!is_group(bad), "{bad}");
        }
        assert!(is_same("abc", "abc"));
        assert!(!is_same("abc", "abd") && !is_same("abc", "ab") && !is_same("", "a"));
    }
}
