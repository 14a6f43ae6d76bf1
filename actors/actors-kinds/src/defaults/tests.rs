//! The defaults, kind by kind, and that they are filled in once.

use actors_object::{json::Limits, yaml};
use expect_test::{Expect, expect};

use super::*;
use crate::Registry;

/// What the defaults of an object's kind make of it, as YAML.
fn check(text: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let parsed = yaml::parse(text.as_bytes(), Limits::default()).expect("good YAML");
    let mut object = Object(parsed.value);
    let kind = registry.kind_of(&object).expect("a served kind");
    default_object(kind, &mut object);
    let once = object.clone();
    default_object(kind, &mut object);
    assert_eq!(object.0, once.0, "defaulting twice is defaulting once");
    expected.assert_eq(&yaml::to_string(&object.0).expect("YAML can be written"));
}

#[test]
fn a_pod_gets_policies_and_its_container_too() {
    check(
        "{apiVersion: v1, kind: Pod, spec: {containers: [{name: c, image: nginx}]}}",
        &expect![[r#"
            apiVersion: v1
            kind: Pod
            spec:
              containers:
              - name: c
                image: nginx
                resources: {}
                terminationMessagePath: /dev/termination-log
                terminationMessagePolicy: File
                imagePullPolicy: Always
              enableServiceLinks: true
              restartPolicy: Always
              terminationGracePeriodSeconds: 30
              dnsPolicy: ClusterFirst
              securityContext: {}
              schedulerName: default-scheduler
        "#]],
    );
}

#[test]
fn images_are_pulled_by_their_tag() {
    let check = |image: &str, policy: &str| {
        let registry = Registry::builtin().expect("the tables are good");
        let kind = registry.resource("", "v1", "pods").expect("served");
        let mut pod =
            Object(value!({ "spec": { "containers": [{ "name": "c", "image": image }] } }));
        default_object(kind, &mut pod);
        let container = &pod.list_at(&["spec", "containers"])[0];
        assert_eq!(container.str_at(&["imagePullPolicy"]), Some(policy), "{image}");
    };
    check("nginx", "Always");
    check("nginx:latest", "Always");
    check("nginx:1.27", "IfNotPresent");
    check("registry:5000/nginx", "Always");
    check("registry:5000/nginx:1", "IfNotPresent");
    check("nginx@sha256:00", "IfNotPresent");
    check("nginx:latest@sha256:00", "Always");
}

#[test]
fn limits_are_requests_and_probes_have_numbers() {
    check(
        "{apiVersion: v1, kind: Pod, spec: {hostNetwork: true, containers: [{name: c, image: 'i:1', \
         ports: [{containerPort: 80}], resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}, \
         livenessProbe: {httpGet: {port: 80}}, env: [{name: A, valueFrom: {fieldRef: {fieldPath: x}}}]}]}}",
        &expect![[r#"
            apiVersion: v1
            kind: Pod
            spec:
              hostNetwork: true
              containers:
              - name: c
                image: i:1
                ports:
                - containerPort: 80
                  protocol: TCP
                  hostPort: 80
                resources:
                  limits:
                    cpu: 1
                    memory: 1Gi
                  requests:
                    cpu: 500m
                    memory: 1Gi
                livenessProbe:
                  httpGet:
                    port: 80
                    path: /
                    scheme: HTTP
                  timeoutSeconds: 1
                  periodSeconds: 10
                  successThreshold: 1
                  failureThreshold: 3
                env:
                - name: A
                  valueFrom:
                    fieldRef:
                      fieldPath: x
                      apiVersion: v1
                terminationMessagePath: /dev/termination-log
                terminationMessagePolicy: File
                imagePullPolicy: IfNotPresent
              enableServiceLinks: true
              restartPolicy: Always
              terminationGracePeriodSeconds: 30
              dnsPolicy: ClusterFirst
              securityContext: {}
              schedulerName: default-scheduler
        "#]],
    );
}

#[test]
fn volumes_have_modes() {
    check(
        "{apiVersion: v1, kind: Pod, spec: {serviceAccount: sa, containers: [], volumes: [{name: a}, \
         {name: b, configMap: {name: x}}, {name: c, hostPath: {path: /}}, \
         {name: d, projected: {sources: [{serviceAccountToken: {path: t}}, \
         {downwardAPI: {items: [{path: f, fieldRef: {fieldPath: metadata.name}}]}}]}}]}}",
        &expect![[r#"
            apiVersion: v1
            kind: Pod
            spec:
              serviceAccount: sa
              containers: []
              volumes:
              - name: a
                emptyDir: {}
              - name: b
                configMap:
                  name: x
                  defaultMode: 420
              - name: c
                hostPath:
                  path: /
                  type: ""
              - name: d
                projected:
                  sources:
                  - serviceAccountToken:
                      path: t
                      expirationSeconds: 3600
                  - downwardAPI:
                      items:
                      - path: f
                        fieldRef:
                          fieldPath: metadata.name
                          apiVersion: v1
                  defaultMode: 420
              enableServiceLinks: true
              restartPolicy: Always
              terminationGracePeriodSeconds: 30
              dnsPolicy: ClusterFirst
              serviceAccountName: sa
              securityContext: {}
              schedulerName: default-scheduler
        "#]],
    );
}

#[test]
fn a_deployment_rolls_a_quarter_at_a_time() {
    check(
        "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: []}}}}",
        &expect![[r#"
            apiVersion: apps/v1
            kind: Deployment
            spec:
              template:
                spec:
                  containers: []
                  restartPolicy: Always
                  terminationGracePeriodSeconds: 30
                  dnsPolicy: ClusterFirst
                  securityContext: {}
                  schedulerName: default-scheduler
              replicas: 1
              strategy:
                type: RollingUpdate
                rollingUpdate:
                  maxUnavailable: 25%
                  maxSurge: 25%
              revisionHistoryLimit: 10
              progressDeadlineSeconds: 600
        "#]],
    );
    check(
        "{apiVersion: apps/v1, kind: Deployment, spec: {strategy: {type: Recreate}}}",
        &expect![[r#"
            apiVersion: apps/v1
            kind: Deployment
            spec:
              strategy:
                type: Recreate
              replicas: 1
              revisionHistoryLimit: 10
              progressDeadlineSeconds: 600
        "#]],
    );
}

#[test]
fn a_service_targets_its_own_ports() {
    check(
        "{apiVersion: v1, kind: Service, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}",
        &expect![[r#"
            apiVersion: v1
            kind: Service
            spec:
              clusterIP: "10.0.0.1"
              ports:
              - port: 80
                protocol: TCP
                targetPort: 80
              sessionAffinity: None
              type: ClusterIP
              internalTrafficPolicy: Cluster
              clusterIPs:
              - "10.0.0.1"
        "#]],
    );
    check(
        "{apiVersion: v1, kind: Service, spec: {type: LoadBalancer, sessionAffinity: ClientIP, \
         ports: [{port: 80, targetPort: http, protocol: UDP}]}}",
        &expect![[r#"
            apiVersion: v1
            kind: Service
            spec:
              type: LoadBalancer
              sessionAffinity: ClientIP
              ports:
              - port: 80
                targetPort: http
                protocol: UDP
              sessionAffinityConfig:
                clientIP:
                  timeoutSeconds: 10800
              externalTrafficPolicy: Cluster
              allocateLoadBalancerNodePorts: true
              internalTrafficPolicy: Cluster
        "#]],
    );
    check(
        "{apiVersion: v1, kind: Service, spec: {type: ExternalName, externalName: a}}",
        &expect![[r#"
            apiVersion: v1
            kind: Service
            spec:
              type: ExternalName
              externalName: a
              sessionAffinity: None
        "#]],
    );
}

#[test]
fn a_namespace_is_labelled_and_emptied_before_it_goes() {
    check(
        "{apiVersion: v1, kind: Namespace, metadata: {name: a}}",
        &expect![[r#"
        apiVersion: v1
        kind: Namespace
        metadata:
          name: a
          labels:
            kubernetes.io/metadata.name: a
        spec:
          finalizers:
          - kubernetes
    "#]],
    );
    check(
        "{apiVersion: v1, kind: Namespace, metadata: {name: a, uid: u}, spec: {}}",
        &expect![[r#"
        apiVersion: v1
        kind: Namespace
        metadata:
          name: a
          uid: u
          labels:
            kubernetes.io/metadata.name: a
        spec: {}
    "#]],
    );
}

#[test]
fn a_secret_takes_plain_texts() {
    check(
        "{apiVersion: v1, kind: Secret, data: {b: Yg==}, stringData: {a: hello, b: c}}",
        &expect![[r#"
            apiVersion: v1
            kind: Secret
            data:
              b: Yw==
              a: aGVsbG8=
            type: Opaque
        "#]],
    );
}

#[test]
fn other_kinds_get_little() {
    check(
        "{apiVersion: v1, kind: Node, status: {capacity: {cpu: '2'}}}",
        &expect![[r#"
        apiVersion: v1
        kind: Node
        status:
          capacity:
            cpu: "2"
          allocatable:
            cpu: "2"
    "#]],
    );
    check(
        "{apiVersion: v1, kind: Endpoints, subsets: [{ports: [{port: 1}]}]}",
        &expect![[r#"
        apiVersion: v1
        kind: Endpoints
        subsets:
        - ports:
          - port: 1
            protocol: TCP
    "#]],
    );
    check(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, ports: [{port: 1}]}",
        &expect![[r#"
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            ports:
            - port: 1
              name: ""
              protocol: TCP
        "#]],
    );
    check(
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, value: 1}",
        &expect![[r#"
        apiVersion: scheduling.k8s.io/v1
        kind: PriorityClass
        value: 1
        preemptionPolicy: PreemptLowerPriority
    "#]],
    );
    check(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, roleRef: {kind: Role, name: r}, \
         subjects: [{kind: User, name: u}, {kind: ServiceAccount, name: s}]}",
        &expect![[r#"
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            roleRef:
              kind: Role
              name: r
              apiGroup: rbac.authorization.k8s.io
            subjects:
            - kind: User
              name: u
              apiGroup: rbac.authorization.k8s.io
            - kind: ServiceAccount
              name: s
        "#]],
    );
    check(
        "{apiVersion: v1, kind: ConfigMap, data: {a: b}}",
        &expect![[r#"
        apiVersion: v1
        kind: ConfigMap
        data:
          a: b
    "#]],
    );
}

#[test]
fn quality_of_service_follows_from_resources() {
    let check = |resources: Value, class: &str| {
        let container = value!({ "resources": resources });
        let pod = Object(value!({ "spec": { "containers": [container] } }));
        assert_eq!(qos_class(&pod), class);
    };
    check(value!({}), "BestEffort");
    check(value!({ "requests": { "cpu": "1" } }), "Burstable");
    check(value!({ "limits": { "cpu": "1", "memory": "1Gi" } }), "Guaranteed");
    check(
        value!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1000m", "memory": "1Gi" } }),
        "Guaranteed",
    );
    check(
        value!({ "limits": { "cpu": "2", "memory": "1Gi" }, "requests": { "cpu": "1" } }),
        "Burstable",
    );
}

#[test]
fn resources_of_the_whole_pod_decide_its_quality_of_service() {
    let limits = value!({ "limits": { "cpu": "1", "memory": "1Gi" } });
    let pod = Object(value!({ "spec": { "resources": limits, "containers": [{ "name": "c" }] } }));
    assert_eq!(qos_class(&pod), "Guaranteed");
}

#[test]
fn a_new_pod_is_pending() {
    let registry = Registry::builtin().expect("the tables are good");
    let kind = registry.resource("", "v1", "pods").expect("served");
    let status = initial_status(kind, &Object(value!({}))).expect("pods begin with a status");
    assert_eq!(status, value!({ "phase": "Pending", "qosClass": "BestEffort" }));
}
