//! The cells of objects, kind by kind.

mod pods;

use actors_core::{Mono, Wall};
use actors_object::{json::Limits, yaml};
use expect_test::{Expect, expect};

use super::*;
use crate::Registry;

/// 2026-01-01T01:00:00Z.
const NOW: Now = Now { mono: Mono(0), wall: Wall(1_767_229_200_000_000_000) };

/// The columns of an object's kind with their cells, those of `-o wide` in brackets.
fn check(text: &str, expected: &Expect) {
    let registry = Registry::builtin().expect("the tables are good");
    let parsed = yaml::parse(text.as_bytes(), Limits::default()).expect("good YAML");
    let object = Object(parsed.value);
    let kind = registry.kind_of(&object).expect("a served kind");
    let (heads, cells) = (column_definitions(kind), columns(kind, &object, NOW));
    assert_eq!(heads.len(), cells.len());
    let line = |(head, cell): (&ColumnDefinition, &Value)| {
        let cell =
            cell.as_str().map_or_else(|| actors_object::json::to_string(cell), str::to_owned);
        if head.priority > 0 {
            format!("[{}: {cell}]\n", head.name)
        } else {
            format!("{}: {cell}\n", head.name)
        }
    };
    expected.assert_eq(&heads.iter().zip(&cells).map(line).collect::<String>());
}

const META: &str = "metadata: {name: x, namespace: a, creationTimestamp: '2026-01-01T00:55:00Z'}";

#[test]
fn workloads() {
    let spec = "spec: {replicas: 3, selector: {matchLabels: {app: web}}, \
         template: {spec: {containers: [{name: a, image: i}, {name: b, image: j}]}}}";
    check(
        &format!(
            "{{apiVersion: apps/v1, kind: Deployment, {META}, {spec}, \
             status: {{readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1}}}}"
        ),
        &expect![[r#"
            Name: x
            Ready: 2/3
            Up-to-date: 3
            Available: 1
            Age: 5m
            [Containers: a,b]
            [Images: i,j]
            [Selector: app=web]
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: apps/v1, kind: ReplicaSet, {META}, {spec}, status: {{replicas: 2, readyReplicas: 1}}}}"
        ),
        &expect![[r#"
            Name: x
            Desired: 3
            Current: 2
            Ready: 1
            Age: 5m
            [Containers: a,b]
            [Images: i,j]
            [Selector: app=web]
        "#]],
    );
    check(
        "{apiVersion: apps/v1, kind: ControllerRevision, revision: 2, metadata: {name: r, ownerReferences: \
         [{apiVersion: apps/v1, kind: DaemonSet, name: d, uid: u, controller: true}]}}",
        &expect![[r#"
            Name: r
            Controller: daemonset.apps/d
            Revision: 2
            Age: <unknown>
        "#]],
    );
}

#[test]
fn services() {
    check(
        &format!(
            "{{apiVersion: v1, kind: Service, {META}, spec: {{type: NodePort, clusterIP: 10.0.0.1, \
             selector: {{app: web}}, ports: [{{port: 80, nodePort: 30080, protocol: TCP}}, {{port: 53, protocol: UDP}}]}}}}"
        ),
        &expect![[r#"
            Name: x
            Type: NodePort
            Cluster-IP: 10.0.0.1
            External-IP: <none>
            Port(s): 80:30080/TCP,53/UDP
            Age: 5m
            [Selector: app=web]
        "#]],
    );
    check(
        &format!("{{apiVersion: v1, kind: Service, {META}, spec: {{type: LoadBalancer}}}}"),
        &expect![[r#"
            Name: x
            Type: LoadBalancer
            Cluster-IP: <none>
            External-IP: <pending>
            Port(s): <none>
            Age: 5m
            [Selector: <none>]
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: v1, kind: Service, {META}, spec: {{type: ExternalName, externalName: a.example}}}}"
        ),
        &expect![[r#"
            Name: x
            Type: ExternalName
            Cluster-IP: <none>
            External-IP: a.example
            Port(s): <none>
            Age: 5m
            [Selector: <none>]
        "#]],
    );
}

#[test]
fn endpoints_of_both_sorts() {
    let addresses = "[{ip: 10.0.0.1}, {ip: 10.0.0.2}, {ip: 'fd00::1'}, {ip: 10.0.0.4}]";
    check(
        &format!(
            "{{apiVersion: v1, kind: Endpoints, {META}, subsets: [{{addresses: {addresses}, ports: [{{port: 80}}]}}]}}"
        ),
        &expect![[r#"
            Name: x
            Endpoints: 10.0.0.1:80,10.0.0.2:80,[fd00::1]:80 + 1 more...
            Age: 5m
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, {META}, addressType: IPv4, \
             ports: [{{port: 80}}], endpoints: [{{addresses: [10.0.0.1]}}]}}"
        ),
        &expect![[r#"
            Name: x
            AddressType: IPv4
            Ports: 80
            Endpoints: 10.0.0.1
            Age: 5m
        "#]],
    );
}

#[test]
fn nodes() {
    check(
        &format!(
            "{{apiVersion: v1, kind: Node, {}, spec: {{unschedulable: true}}, \
             status: {{conditions: [{{type: Ready, status: 'True'}}], \
             addresses: [{{type: InternalIP, address: 192.0.2.1}}], \
             nodeInfo: {{kubeletVersion: v1.35.0, osImage: Debian, kernelVersion: '6.1'}}}}}}",
            META.replace("namespace: a", "labels: {node-role.kubernetes.io/control-plane: ''}")
        ),
        &expect![[r#"
            Name: x
            Status: Ready,SchedulingDisabled
            Roles: control-plane
            Age: 5m
            Version: v1.35.0
            [Internal-IP: 192.0.2.1]
            [External-IP: <none>]
            [OS-Image: Debian]
            [Kernel-Version: 6.1]
            [Container-Runtime: <unknown>]
        "#]],
    );
}

#[test]
fn events_of_both_groups_look_the_same() {
    check(
        &format!(
            "{{apiVersion: v1, kind: Event, {META}, involvedObject: {{kind: Pod, name: p}}, reason: Started, \
             type: Normal, message: ' hello ', count: 3, source: {{component: kubelet, host: n1}}, \
             firstTimestamp: '2026-01-01T00:50:00Z', lastTimestamp: '2026-01-01T00:59:30Z'}}"
        ),
        &expect![[r#"
            Last Seen: 30s
            Type: Normal
            Reason: Started
            Object: pod/p
            [Subobject: ]
            [Source: kubelet, n1]
            Message: hello
            [First Seen: 10m]
            [Count: 3]
            [Name: x]
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: events.k8s.io/v1, kind: Event, {META}, regarding: {{kind: Pod, name: p}}, \
             reason: Started, type: Normal, note: hello, eventTime: '2026-01-01T00:59:00.000000Z', \
             reportingController: x/y, reportingInstance: i}}"
        ),
        &expect![[r#"
            Last Seen: 60s
            Type: Normal
            Reason: Started
            Object: pod/p
            [Subobject: ]
            [Source: x/y, i]
            Message: hello
            [First Seen: 60s]
            [Count: 1]
            [Name: x]
        "#]],
    );
}

#[test]
fn roles_and_bindings() {
    check(
        &format!("{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, {META}}}"),
        &expect![[r#"
            Name: x
            Created At: 2026-01-01T00:55:00Z
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, {META}, roleRef: {{kind: Role, name: r}}, \
             subjects: [{{kind: User, name: u}}, {{kind: ServiceAccount, name: s, namespace: b}}]}}"
        ),
        &expect![[r#"
            Name: x
            Role: Role/r
            Age: 5m
            [Users: u]
            [Groups: ]
            [ServiceAccounts: b/s]
        "#]],
    );
}

#[test]
fn configuration_and_other_small_kinds() {
    check(
        &format!("{{apiVersion: v1, kind: Secret, {META}, type: Opaque, data: {{a: b}}}}"),
        &expect![[r#"
            Name: x
            Type: Opaque
            Data: 1
            Age: 5m
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: v1, kind: ConfigMap, {META}, data: {{a: b}}, binaryData: {{c: ''}}}}"
        ),
        &expect![[r#"
            Name: x
            Data: 2
            Age: 5m
        "#]],
    );
    check(
        &format!("{{apiVersion: v1, kind: ServiceAccount, {META}}}"),
        &expect![[r#"
        Name: x
        Secrets: 0
        Age: 5m
    "#]],
    );
    check(
        &format!("{{apiVersion: v1, kind: Namespace, {META}, status: {{phase: Active}}}}"),
        &expect![[r#"
            Name: x
            Status: Active
            Age: 5m
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: coordination.k8s.io/v1, kind: Lease, {META}, spec: {{holderIdentity: h}}}}"
        ),
        &expect![[r#"
            Name: x
            Holder: h
            Age: 5m
        "#]],
    );
    check(
        &format!(
            "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, {META}, value: 5, preemptionPolicy: Never}}"
        ),
        &expect![[r#"
            Name: x
            Value: 5
            Global-Default: false
            Age: 5m
            PreemptionPolicy: Never
        "#]],
    );
    check(
        &format!("{{apiVersion: v1, kind: Endpoints, {META}}}"),
        &expect![[r#"
        Name: x
        Endpoints: <none>
        Age: 5m
    "#]],
    );
}

#[test]
fn a_kind_without_columns_shows_name_and_age() {
    let registry = Registry::builtin()
        .expect("the tables are good")
        .with_rows("resource demo.dev v1 widgets Widget any namespaced get")
        .expect("a good row");
    let kind = registry.resource("demo.dev", "v1", "widgets").expect("added");
    let object = Object(actors_object::value!({ "metadata": { "name": "w" } }));
    assert_eq!(columns(kind, &object, NOW), ["w".into(), "<unknown>".into()]);
    assert_eq!(column_definitions(kind).len(), 2);
}
