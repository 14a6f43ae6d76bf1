//! Server-side apply to the parts of a pod: its ephemeral containers, and its resources.

use expect_test::expect;

use super::harness::check;

const POD: &str = "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {nodeName: n1, containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}
";

#[test]
fn an_applied_ephemeral_container_is_added_and_owned() {
    check(
        &format!(
            "{POD}
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=a
          metadata: {{labels: {{not: mine}}}}
          spec:
            nodeName: other
            ephemeralContainers: [{{name: look, image: tools, targetContainerName: c}}]
        ? spec.ephemeralContainers
        ? spec.nodeName
        ? metadata.labels
        ? metadata.generation
        ? metadata.managedFields
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=a
          spec: {{ephemeralContainers: [{{name: look, image: tools, targetContainerName: c}}]}}
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b
          spec: {{ephemeralContainers: [{{name: look, image: others}}]}}
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b&force=true
          spec: {{ephemeralContainers: [{{name: look, image: others}}]}}
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b
          spec: {{ephemeralContainers: [{{name: more, image: tools}}]}}
        APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers
          spec: {{ephemeralContainers: []}}
        APPLY /api/v1/namespaces/default/pods/absent/ephemeralcontainers?fieldManager=a
          spec: {{ephemeralContainers: []}}
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=a
              200 Pod p @102
              + /registry/pods/default/p
                spec.ephemeralContainers = [{"name":"look","image":"tools","resources":{},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File","targetContainerName":"c"}]
                spec.nodeName = "n1"
                metadata.labels = null
                metadata.generation = 2
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:ephemeralContainers":{"k:{\"name\":\"look\"}":{".":{},"f:image":{},"f:name":{},"f:targetContainerName":{}}}}},"subresource":"ephemeralcontainers"},{"manager":"test","operation":"Update","apiVersion":"v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:resources":{"f:requests":{"f:cpu":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{"k:{\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\"}":{".":{},"f:mountPath":{},"f:name":{},"f:readOnly":{}}}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:nodeName":{},"f:preemptionPolicy":{},"f:priority":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{},"f:tolerations":{},"f:volumes":{"k:{\"name\":\"kube-api-access-m29qv\"}":{".":{},"f:name":{},"f:projected":{"f:defaultMode":{},"f:sources":{}}}}}}}]
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=a
              200 Pod p @102
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b
              409 Conflict: Apply failed with 1 conflict: conflict with "a" with subresource "ephemeralcontainers": .spec.ephemeralContainers[name="look"].image
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b&force=true
              422 Invalid: Pod "p" is invalid: spec.ephemeralContainers: Forbidden: "look" cannot be changed
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=b
              200 Pod p @103
              + /registry/pods/default/p
            APPLY /api/v1/namespaces/default/pods/p/ephemeralcontainers
              400 BadRequest: fieldManager is required for an apply: who owns the fields?
            APPLY /api/v1/namespaces/default/pods/absent/ephemeralcontainers?fieldManager=a
              404 NotFound: pods "absent" not found
        "#]],
    );
}

#[test]
fn applied_resources_are_owned_and_nothing_else_changes() {
    check(
        &format!(
            "{POD}
        APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
          spec: {{containers: [{{name: c, image: other, resources: {{requests: {{cpu: 2}}}}}}]}}
        APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a&force=true
          spec: {{containers: [{{name: c, image: other, resources: {{requests: {{cpu: 2}}}}}}]}}
        ? spec.containers
        ? metadata.managedFields
        APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=b
          spec: {{containers: [{{name: c, resources: {{requests: {{cpu: 3}}}}}}]}}
        APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
          metadata: {{resourceVersion: '7'}}
          spec: {{containers: [{{name: c, resources: {{requests: {{cpu: 3}}}}}}]}}
        APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
          spec: {{containers: []}}
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
              409 Conflict: Apply failed with 1 conflict: conflict with "test" using v1: .spec.containers[name="c"].resources.requests.cpu
            APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a&force=true
              200 Pod p @102
              + /registry/pods/default/p
                spec.containers = [{"name":"c","image":"i","resources":{"requests":{"cpu":"2"}},"volumeMounts":[{"name":"kube-api-access-m29qv","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{},"f:resources":{"f:requests":{"f:cpu":{}}}}}}},"subresource":"resize"},{"manager":"test","operation":"Update","apiVersion":"v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{"k:{\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\"}":{".":{},"f:mountPath":{},"f:name":{},"f:readOnly":{}}}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:nodeName":{},"f:preemptionPolicy":{},"f:priority":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{},"f:tolerations":{},"f:volumes":{"k:{\"name\":\"kube-api-access-m29qv\"}":{".":{},"f:name":{},"f:projected":{"f:defaultMode":{},"f:sources":{}}}}}}}]
            APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=b
              409 Conflict: Apply failed with 1 conflict: conflict with "a" with subresource "resize": .spec.containers[name="c"].resources.requests.cpu
            APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
              409 Conflict: Operation cannot be fulfilled on pods "p": the object has been modified; please apply your changes to the latest version and try again
            APPLY /api/v1/namespaces/default/pods/p/resize?fieldManager=a
              422 Invalid: Pod "p" is invalid: [spec.containers[0].resources.requests: Forbidden: requests of cpu cannot be taken away, spec: Invalid value: {"volumes":[{"name":"kube-api-access-m29qv","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}],"containers":[{"name":"c","image":"i","resources":{},"volumeMounts":[{"name":"kube-api-access-m29qv","readOnly":true,"mountPath":"/var/run/secrets/kubernetes....: a resize cannot change the class of the pod's quality of service]
        "#]],
    );
}
