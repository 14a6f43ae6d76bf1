//! The rules of `ConfigMap`s, Secrets and service accounts, one test each.

use expect_test::expect;

use crate::validate::testing::{check_create, check_update};

fn config_map(fields: &str) -> String {
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c, namespace: a}}, {fields}}}")
}

fn secret(fields: &str) -> String {
    format!("{{apiVersion: v1, kind: Secret, metadata: {{name: s, namespace: a}}, {fields}}}")
}

#[test]
fn keys_are_file_names_and_stand_once() {
    check_create(
        &config_map("data: {a/b: x, ..: v, c: z}, binaryData: {c: YQ==}"),
        &expect![[r#"
            data[a/b]: Invalid value: "a/b": must be letters, digits, '-', '_' and '.', for example 'key.name' or 'KEY_NAME' or 'key-name' (pattern: [-._a-zA-Z0-9]+)
            data[..]: Invalid value: "..": must not be '..'
            data[c]: Invalid value: "c": this key is in binaryData as well
        "#]],
    );
    check_create(
        &secret("data: {a/b: YQ==}"),
        &expect![[r#"
            data[a/b]: Invalid value: "a/b": must be letters, digits, '-', '_' and '.', for example 'key.name' or 'KEY_NAME' or 'key-name' (pattern: [-._a-zA-Z0-9]+)
        "#]],
    );
}

#[test]
fn data_has_a_bound() {
    let long = "x".repeat(1024 * 1024 + 1);
    check_create(
        &config_map(&format!("data: {{a: {long}}}")),
        &expect![[r#"
        <nil>: Too long: may not be more than 1048576 bytes
    "#]],
    );
    check_create(
        &secret(&format!("stringData: {{a: {long}}}")),
        &expect![[r#"
        data: Too long: may not be more than 1048576 bytes
    "#]],
    );
}

#[test]
fn what_is_sealed_stays_as_it_is() {
    check_update(
        &config_map("data: {a: b}, immutable: true"),
        &config_map("data: {a: c}"),
        &expect![[r#"
            immutable: Forbidden: cannot change once `immutable` is true
            data: Forbidden: cannot change once `immutable` is true
        "#]],
    );
    check_update(
        &config_map("data: {a: b}"),
        &config_map("data: {a: c}, immutable: true"),
        &expect![""],
    );
}

#[test]
fn typed_secrets_have_their_keys() {
    check_create(
        &secret("type: kubernetes.io/tls, stringData: {tls.crt: x}"),
        &expect![[r#"
        data[tls.key]: Required value
    "#]],
    );
    check_create(
        &secret("type: kubernetes.io/basic-auth"),
        &expect![[r#"
            data[username]: Required value: a username or a password is needed
            data[password]: Required value: a username or a password is needed
        "#]],
    );
    check_create(
        &secret("type: kubernetes.io/ssh-auth"),
        &expect![[r#"
        data[ssh-privatekey]: Required value
    "#]],
    );
    check_create(
        &secret("type: kubernetes.io/service-account-token"),
        &expect![[r#"
        metadata.annotations[kubernetes.io/service-account.name]: Required value
    "#]],
    );
    check_create(
        &secret("type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: nonsense}"),
        &expect![[r#"
            data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be a JSON object
        "#]],
    );
}

#[test]
fn the_type_of_a_secret_never_changes() {
    check_update(
        &secret("type: a"),
        &secret("type: b"),
        &expect![[r#"
        type: Invalid value: "b": field is immutable
    "#]],
    );
}

#[test]
fn service_accounts_name_secrets() {
    check_create(
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: s, namespace: a}, imagePullSecrets: [{name: A}]}",
        &expect![[r#"
            imagePullSecrets[0].name: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
        "#]],
    );
}
