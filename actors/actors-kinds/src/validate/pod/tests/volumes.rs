//! Volumes and mounts.

use expect_test::expect;

use super::{check, check_spec};

#[test]
fn volumes_have_unique_names_and_one_source() {
    check_spec(
        "volumes: [{}, {name: a, emptyDir: {}, hostPath: {path: /x}}, {name: a}]",
        &expect![[r#"
            spec.volumes[0].name: Required value
            spec.volumes[1].hostPath: Forbidden: a volume has one source, and there is one already
            spec.volumes[2].name: Duplicate value: "a"
        "#]],
    );
}

#[test]
fn sources_are_complete() {
    check_spec(
        "volumes: [{name: a, hostPath: {type: x}}, {name: b, secret: {}}, \
         {name: c, configMap: {name: A, defaultMode: 512, items: [{path: ../x, mode: -1}]}}, \
         {name: d, emptyDir: {sizeLimit: -1}}, {name: e, persistentVolumeClaim: {}}, \
         {name: f, hostPath: {path: /a/../b}}]",
        &expect![[r#"
            spec.volumes[0].hostPath.path: Required value
            spec.volumes[0].hostPath.type: Unsupported value: "x": supported values: "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"
            spec.volumes[1].secret.secretName: Required value
            spec.volumes[2].configMap.name: Invalid value: "A": must be a DNS name (RFC 1123): parts of lower-case letters, digits and '-', each with a letter or digit at both ends, joined by '.', for example 'example.com' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)
            spec.volumes[2].configMap.defaultMode: Invalid value: 512: must be between 0 and 511, inclusive
            spec.volumes[2].configMap.items[0].key: Required value
            spec.volumes[2].configMap.items[0].path: Invalid value: "../x": must not contain '..'
            spec.volumes[2].configMap.items[0].mode: Invalid value: -1: must be between 0 and 511, inclusive
            spec.volumes[3].emptyDir.sizeLimit: Invalid value: "-1": must be a quantity that is not negative
            spec.volumes[4].persistentVolumeClaim.claimName: Required value
            spec.volumes[5].hostPath.path: Invalid value: "/a/../b": must not contain '..'
        "#]],
    );
}

#[test]
fn downward_files_have_one_source() {
    check_spec(
        "volumes: [{name: a, downwardAPI: {items: [{path: /x}, \
         {path: b, fieldRef: {fieldPath: status.podIP}}, \
         {path: c, resourceFieldRef: {resource: limits.cpu}}]}}]",
        &expect![[r#"
            spec.volumes[0].downwardAPI.items[0].path: Invalid value: "/x": must be a relative path
            spec.volumes[0].downwardAPI.items[0].fieldRef: Required value: fieldRef or resourceFieldRef must be given
            spec.volumes[0].downwardAPI.items[1].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"
            spec.volumes[0].downwardAPI.items[2].resourceFieldRef.containerName: Required value
        "#]],
    );
}

#[test]
fn projections_have_one_source_each() {
    check_spec(
        "volumes: [{name: a, projected: {sources: [{}, \
         {secret: {name: s}, configMap: {name: c}}, \
         {serviceAccountToken: {expirationSeconds: 10, path: ''}}]}}]",
        &expect![[r#"
            spec.volumes[0].projected.sources[0]: Required value: must name one source
            spec.volumes[0].projected.sources[1].secret: Forbidden: a volume has one source, and there is one already
            spec.volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 10: must be 600 (10 minutes) or more
            spec.volumes[0].projected.sources[2].serviceAccountToken.path: Required value
        "#]],
    );
}

#[test]
fn mounts_name_volumes_and_have_places_of_their_own() {
    check(
        "{containers: [{name: c, image: i, volumeMounts: [{name: b, mountPath: /b}, {name: a}, \
         {name: a, mountPath: /x}, {name: a, mountPath: /x, subPath: ../y}, \
         {name: a, mountPath: /z, subPath: b, subPathExpr: c, mountPropagation: x}]}], \
         volumes: [{name: a}]}",
        &expect![[r#"
            spec.containers[0].volumeMounts[0].name: Not found: "b"
            spec.containers[0].volumeMounts[1].mountPath: Required value
            spec.containers[0].volumeMounts[3].subPath: Invalid value: "../y": must not contain '..'
            spec.containers[0].volumeMounts[4].subPathExpr: Invalid value: "c": cannot stand beside subPath
            spec.containers[0].volumeMounts[4].mountPropagation: Unsupported value: "x": supported values: "Bidirectional", "HostToContainer", "None"
            spec.containers[0].volumeMounts[3].mountPath: Invalid value: "/x": must be unique
        "#]],
    );
}
