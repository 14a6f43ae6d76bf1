//! Volumes of other systems, devices, and how mounts are shared.

use expect_test::expect;

use super::{check, check_spec};

#[test]
fn sources_of_other_systems_are_complete() {
    check_spec(
        "volumes: [{name: a, nfs: {path: x}}, {name: b, iscsi: {lun: 300}}, {name: c, csi: {nodePublishSecretRef: {}}}, \
         {name: d, gitRepo: {directory: ../x}}, {name: e, image: {pullPolicy: Often}}, {name: f, flocker: {}}, \
         {name: g, azureDisk: {diskName: d, diskURI: u, kind: Own}}, {name: h, gcePersistentDisk: {partition: 256}}, \
         {name: i, rbd: {}}, {name: j, scaleIO: {}}]",
        &expect![[r#"
            spec.volumes[0].nfs.server: Required value
            spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path
            spec.volumes[1].iscsi.targetPortal: Required value
            spec.volumes[1].iscsi.iqn: Required value
            spec.volumes[1].iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive
            spec.volumes[2].csi.driver: Required value
            spec.volumes[2].csi.nodePublishSecretRef.name: Required value
            spec.volumes[3].gitRepo.repository: Required value
            spec.volumes[3].gitRepo.directory: Invalid value: "../x": must not contain '..'
            spec.volumes[4].image.reference: Required value
            spec.volumes[4].image.pullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"
            spec.volumes[5].flocker: Required value: needs one of datasetName and datasetUUID
            spec.volumes[6].azureDisk.kind: Unsupported value: "Own": supported values: "Dedicated", "Managed", "Shared"
            spec.volumes[7].gcePersistentDisk.pdName: Required value
            spec.volumes[7].gcePersistentDisk.partition: Invalid value: 256: must be between 0 and 255, inclusive
            spec.volumes[8].rbd.monitors: Required value
            spec.volumes[8].rbd.image: Required value
            spec.volumes[9].scaleIO.gateway: Required value
            spec.volumes[9].scaleIO.system: Required value
            spec.volumes[9].scaleIO.volumeName: Required value
            spec.volumes[9].scaleIO.secretRef: Required value
        "#]],
    );
}

#[test]
fn a_channel_has_targets_or_identifiers() {
    check_spec(
        "volumes: [{name: a, fc: {}}, {name: b, fc: {targetWWNs: [x]}}, {name: c, fc: {targetWWNs: [x], wwids: [z]}}]",
        &expect![[r#"
            spec.volumes[0].fc: Required value: needs targetWWNs or wwids
            spec.volumes[1].fc.lun: Required value: is needed with targetWWNs
            spec.volumes[2].fc: Invalid value: {"targetWWNs":["x"],"wwids":["z"]}: takes targetWWNs or wwids, not both
        "#]],
    );
}

#[test]
fn a_claim_that_goes_with_the_pod_is_a_claim() {
    check_spec(
        "volumes: [{name: a, ephemeral: {}}, {name: b, ephemeral: {volumeClaimTemplate: {metadata: {labels: {'!': b}}, spec: {}}}}]",
        &expect![[r#"
            spec.volumes[0].ephemeral.volumeClaimTemplate: Required value
            spec.volumes[1].ephemeral.volumeClaimTemplate.metadata.labels: Invalid value: "!": the name must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, for example 'MyName' or 'my.name' or '123-abc' (pattern: ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])
            spec.volumes[1].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required
            spec.volumes[1].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value
        "#]],
    );
}

#[test]
fn projected_bundles_and_certificates_are_complete() {
    check_spec(
        "volumes: [{name: a, projected: {sources: [{clusterTrustBundle: {}}, \
         {clusterTrustBundle: {name: a, signerName: b, path: /x, labelSelector: {}}}, \
         {podCertificate: {keyType: DES, maxExpirationSeconds: 5}}]}}]",
        &expect![[r#"
            spec.volumes[0].projected.sources[0].clusterTrustBundle: Required value: needs name or signerName
            spec.volumes[0].projected.sources[0].clusterTrustBundle.path: Required value
            spec.volumes[0].projected.sources[1].clusterTrustBundle: Invalid value: {"name":"a","signerName":"b","path":"/x","labelSelector":{}}: takes name or signerName, not both
            spec.volumes[0].projected.sources[1].clusterTrustBundle.labelSelector: Invalid value: {}: belongs to signerName
            spec.volumes[0].projected.sources[1].clusterTrustBundle.path: Invalid value: "/x": must be a relative path
            spec.volumes[0].projected.sources[2].podCertificate.signerName: Required value
            spec.volumes[0].projected.sources[2].podCertificate.keyType: Unsupported value: "DES": supported values: "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"
            spec.volumes[0].projected.sources[2].podCertificate.maxExpirationSeconds: Invalid value: 5: must be between 3600 and 7862400, inclusive
            spec.volumes[0].projected.sources[2].podCertificate: Required value: needs a path, such as credentialBundlePath
        "#]],
    );
}

#[test]
fn devices_are_claims_and_stand_once() {
    check(
        "{volumes: [{name: a, emptyDir: {}}, {name: b, persistentVolumeClaim: {claimName: x}}], \
         containers: [{name: c, image: i, volumeMounts: [{name: b, mountPath: /b}], volumeDevices: \
         [{name: a, devicePath: /../a}, {name: b, devicePath: /b}, {name: z}]}]}",
        &expect![[r#"
            spec.containers[0].volumeDevices[0].name: Invalid value: "a": only claims can be devices
            spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/../a": must not contain '..'
            spec.containers[0].volumeDevices[1].name: Invalid value: "b": is mounted by the container already
            spec.containers[0].volumeDevices[1].devicePath: Invalid value: "/b": is the place of a mount already
            spec.containers[0].volumeDevices[2].name: Not found: "z"
            spec.containers[0].volumeDevices[2].devicePath: Required value
        "#]],
    );
}

#[test]
fn mounts_are_shared_by_those_who_may() {
    check(
        "{volumes: [{name: a, emptyDir: {}}], containers: [{name: c, image: i, volumeMounts: \
         [{name: a, mountPath: /a, mountPropagation: Bidirectional, recursiveReadOnly: Enabled}]}]}",
        &expect![[r#"
            spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: Bidirectional is for privileged containers
            spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: needs `readOnly: true`
            spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: needs the mountPropagation None, or none
        "#]],
    );
}
