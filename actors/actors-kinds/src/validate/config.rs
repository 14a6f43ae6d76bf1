//! `ConfigMap`s, Secrets, service accounts.
//!
//! Spec: documentation, "config maps", "secrets", "service accounts".

use actors_object::{FieldError, Value, json};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Errors, Spot, errors::is_same, text};

/// The most bytes of all values of a `ConfigMap` or Secret together: 1 MiB.
const DATA_LEN_MAX: usize = 1024 * 1024;

/// A `ConfigMap`.
pub(super) fn validate_config_map(root: &Spot<'_>, out: &mut Errors) {
    let mut len = 0;
    for (key, value) in root.entries("data") {
        validate_key(root, "data", key, out);
        if root.value.at("binaryData").get(key).is_some() {
            let detail = "this key is in binaryData as well";
            out.push(FieldError::invalid(&root.field("data").path().push_key(key), key, detail));
        }
        len += value.text().len();
    }
    for (key, value) in root.entries("binaryData") {
        validate_key(root, "binaryData", key, out);
        len += decoded_len(value.text());
    }
    if len > DATA_LEN_MAX {
        out.push(FieldError::too_long(&root.path(), DATA_LEN_MAX));
    }
}

/// A Secret: its type may ask for keys.
pub(super) fn validate_secret(root: &Spot<'_>, out: &mut Errors) {
    let mut len = 0;
    for (key, value) in root.entries("data") {
        validate_key(root, "data", key, out);
        len += decoded_len(value.text());
    }
    if len > DATA_LEN_MAX {
        out.push(FieldError::too_long(&root.field("data").path(), DATA_LEN_MAX));
    }
    let required: &[&str] = match root.field("type").text() {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/basic-auth" => return validate_basic_auth(root, out),
        "kubernetes.io/service-account-token" => return validate_token(root, out),
        _ => &[],
    };
    for key in required {
        let path = root.field("data").path().push_key(key);
        match root.value.at("data").get(key) {
            None => out.push(FieldError::required(&path, "")),
            Some(value) if key.starts_with(".docker") && !is_json_object(value) => {
                out.push(FieldError::invalid(
                    &path,
                    "<secret contents redacted>",
                    "must be a JSON object",
                ));
            }
            Some(_) => {}
        }
    }
}

fn validate_basic_auth(root: &Spot<'_>, out: &mut Errors) {
    let data = root.value.at("data");
    if data.get("username").is_none() && data.get("password").is_none() {
        for key in ["username", "password"] {
            let path = root.field("data").path().push_key(key);
            out.push(FieldError::required(&path, "a username or a password is needed"));
        }
    }
}

fn validate_token(root: &Spot<'_>, out: &mut Errors) {
    let name = "kubernetes.io/service-account.name";
    let metadata = root.field("metadata");
    if metadata.value.at("annotations").get(name).is_none_or(Value::is_empty_value) {
        let path = metadata.field("annotations").path().push_key(name);
        out.push(FieldError::required(&path, ""));
    }
}

fn is_json_object(value: &Value) -> bool {
    let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    let parsed = bytes.and_then(|bytes| json::from_slice(&bytes).ok());
    parsed.is_some_and(|parsed| parsed.as_map().is_some())
}

fn validate_key(root: &Spot<'_>, field: &str, key: &str, out: &mut Errors) {
    for detail in text::config_key(key) {
        out.push(FieldError::invalid(&root.field(field).path().push_key(key), key, detail));
    }
}

/// How many bytes a base64 text stands for.
fn decoded_len(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

/// What is sealed (`immutable: true`) stays sealed, and as it is.
pub(super) fn validate_sealed(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    if !old.field("immutable").is_true() {
        return;
    }
    if !new.field("immutable").is_true() {
        out.forbidden(&new.field("immutable"), "cannot change once `immutable` is true");
    }
    for name in ["data", "binaryData"] {
        if !is_same(new.value.at(name), old.value.at(name)) {
            out.forbidden(&new.field(name), "cannot change once `immutable` is true");
        }
    }
}

/// The type of a Secret never changes.
pub(super) fn validate_secret_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    out.immutable(&new.field("type"), &old.field("type"));
    validate_sealed(new, old, out);
}

/// A service account: the Secrets that it names have names.
pub(super) fn validate_service_account(root: &Spot<'_>, out: &mut Errors) {
    for list in ["imagePullSecrets", "secrets"] {
        for secret in root.each(list) {
            out.check(&secret.field("name"), text::dns_subdomain);
        }
    }
}

#[cfg(test)]
mod tests;
