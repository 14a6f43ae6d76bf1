//! LimitRanger and RuntimeClass: what pods are given, and which are not let in.

use expect_test::expect;

use super::check;

const RANGE: &str = "
    POST /api/v1/namespaces/default/limitranges
      metadata: {name: l}
      spec:
        limits:
        - type: Container
          min: {cpu: 100m}
          max: {cpu: '2', memory: 1Gi}
          default: {cpu: 500m, memory: 256Mi}
          defaultRequest: {cpu: 200m}
          maxLimitRequestRatio: {cpu: '4'}
        - type: Pod
          max: {cpu: '3'}
        - type: PersistentVolumeClaim
          min: {storage: 1Gi}
          max: {storage: 5Gi}
";

#[test]
fn containers_get_what_they_do_not_say() {
    check(
        &format!(
            "{RANGE}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec:
        initContainers: [{{name: a, image: i, resources: {{limits: {{cpu: '1'}}}}}}]
        containers:
        - {{name: b, image: i}}
        - name: c
          image: i
          resources: {{requests: {{cpu: 300m, memory: 1Mi}}, limits: {{cpu: 1, memory: 1Mi}}}}
    ? metadata.annotations
    ? spec.initContainers.0.resources
    ? spec.containers.0.resources
    ? spec.containers.1.resources
    ? status.qosClass
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/limitranges
              201 LimitRange l @101
              + /registry/limitranges/default/l
            POST /api/v1/namespaces/default/pods
              201 Pod p @102
              + /registry/pods/default/p
                metadata.annotations = {"kubernetes.io/limit-ranger":"LimitRanger plugin set: cpu, memory request for container b; cpu, memory limit for container b; memory request for init container a; memory limit for init container a"}
                spec.initContainers.0.resources = {"limits":{"cpu":"1","memory":"256Mi"},"requests":{"cpu":"1","memory":"256Mi"}}
                spec.containers.0.resources = {"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"200m","memory":"256Mi"}}
                spec.containers.1.resources = {"limits":{"cpu":"1","memory":"1Mi"},"requests":{"cpu":"300m","memory":"1Mi"}}
                status.qosClass = "Burstable"
        "#]],
    );
}

#[test]
fn what_is_too_small_or_too_large_is_refused_with_all_its_faults() {
    check(
        &format!(
            "{RANGE}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec:
        containers:
        - {{name: c, image: i, resources: {{limits: {{cpu: 2500m}}, requests: {{cpu: '2'}}}}}}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec:
        containers:
        - {{name: c, image: i, resources: {{limits: {{cpu: 1}}, requests: {{cpu: 50m}}}}}}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec:
        containers:
        - {{name: a, image: i, resources: {{limits: {{cpu: 2}}}}}}
        - {{name: b, image: i, resources: {{limits: {{cpu: 2}}}}}}
    POST /api/v1/namespaces/default/persistentvolumeclaims
      metadata: {{name: v}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 6Gi}}}}}}
    POST /api/v1/namespaces/default/persistentvolumeclaims
      metadata: {{name: v}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}
    POST /api/v1/namespaces/default/persistentvolumeclaims
      metadata: {{name: v}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 5Gi}}}}}}
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/limitranges
              201 LimitRange l @101
              + /registry/limitranges/default/l
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 2500m
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, cpu max limit to request ratio per Container is 4, but provided ratio is 20.000000]
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "p" is forbidden: maximum cpu usage per Pod is 3, but limit is 4
            POST /api/v1/namespaces/default/persistentvolumeclaims
              403 Forbidden: persistentvolumeclaims "v" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi
            POST /api/v1/namespaces/default/persistentvolumeclaims
              403 Forbidden: persistentvolumeclaims "v" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi
            POST /api/v1/namespaces/default/persistentvolumeclaims
              201 PersistentVolumeClaim v @102
              + /registry/persistentvolumeclaims/default/v
        "#]],
    );
}

#[test]
fn a_resize_keeps_to_the_bounds() {
    check(
        &format!(
            "{RANGE}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec: {{containers: [{{name: c, image: i}}]}}
    STRATEGIC /api/v1/namespaces/default/pods/p/resize
      spec: {{containers: [{{name: c, resources: {{limits: {{cpu: 3}}, requests: {{cpu: 1}}}}}}]}}
    STRATEGIC /api/v1/namespaces/default/pods/p/resize
      spec: {{containers: [{{name: c, resources: {{limits: {{cpu: 2}}, requests: {{cpu: 1}}}}}}]}}
    ? spec.containers.0.resources
"
        ),
        &expect![[r#"
            POST /api/v1/namespaces/default/limitranges
              201 LimitRange l @101
              + /registry/limitranges/default/l
            POST /api/v1/namespaces/default/pods
              201 Pod p @102
              + /registry/pods/default/p
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              403 Forbidden: pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 3
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              200 Pod p @103
              + /registry/pods/default/p
                spec.containers.0.resources = {"limits":{"cpu":"2","memory":"256Mi"},"requests":{"cpu":"1","memory":"256Mi"}}
        "#]],
    );
}

const CLASSES: &str = "
    POST /apis/node.k8s.io/v1/runtimeclasses
      metadata: {name: heavy}
      handler: h
      overhead: {podFixed: {cpu: 100m, memory: 64Mi}}
      scheduling:
        nodeSelector: {runtime: heavy}
        tolerations: [{key: heavy, operator: Exists}]
    POST /apis/node.k8s.io/v1/runtimeclasses
      metadata: {name: light}
      handler: l
";

#[test]
fn a_pod_gets_what_its_runtime_class_costs_and_where_it_runs() {
    check(
        &format!(
            "{CLASSES}
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec:
        runtimeClassName: heavy
        nodeSelector: {{zone: z}}
        tolerations: [{{key: heavy, operator: Exists}}, {{key: own, operator: Exists}}]
        containers: [{{name: c, image: i}}]
    ? spec.overhead
    ? spec.nodeSelector
    ? spec.tolerations
    POST /api/v1/namespaces/default/pods
      metadata: {{name: q}}
      spec: {{runtimeClassName: light, containers: [{{name: c, image: i}}]}}
    ? spec.overhead
    ? spec.nodeSelector
"
        ),
        &expect![[r#"
            POST /apis/node.k8s.io/v1/runtimeclasses
              201 RuntimeClass heavy @101
              + /registry/node.k8s.io/runtimeclasses/heavy
            POST /apis/node.k8s.io/v1/runtimeclasses
              201 RuntimeClass light @102
              + /registry/node.k8s.io/runtimeclasses/light
            POST /api/v1/namespaces/default/pods
              201 Pod p @103
              + /registry/pods/default/p
                spec.overhead = {"cpu":"100m","memory":"64Mi"}
                spec.nodeSelector = {"runtime":"heavy","zone":"z"}
                spec.tolerations = [{"key":"heavy","operator":"Exists"},{"key":"own","operator":"Exists"},{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]
            POST /api/v1/namespaces/default/pods
              201 Pod q @104
              + /registry/pods/default/q
                spec.overhead = null
                spec.nodeSelector = null
        "#]],
    );
}

#[test]
fn a_pod_that_contradicts_its_runtime_class_is_refused() {
    let pod = |spec: &str| {
        format!(
            "
    POST /api/v1/namespaces/default/pods
      metadata: {{name: p}}
      spec: {{{spec}, containers: [{{name: c, image: i}}]}}"
        )
    };
    let script = [
        CLASSES.to_owned(),
        pod("runtimeClassName: none"),
        pod("runtimeClassName: heavy, overhead: {cpu: 50m}"),
        pod("runtimeClassName: heavy, overhead: {cpu: 0.1, memory: 64Mi}"),
        pod("runtimeClassName: light, overhead: {cpu: 50m}"),
        pod("overhead: {cpu: 50m}"),
        pod("runtimeClassName: heavy, nodeSelector: {runtime: other}"),
    ];
    check(
        &script.concat(),
        &expect![[r#"
        POST /apis/node.k8s.io/v1/runtimeclasses
          201 RuntimeClass heavy @101
          + /registry/node.k8s.io/runtimeclasses/heavy
        POST /apis/node.k8s.io/v1/runtimeclasses
          201 RuntimeClass light @102
          + /registry/node.k8s.io/runtimeclasses/light
        POST /api/v1/namespaces/default/pods
          403 Forbidden: pods "p" is forbidden: pod rejected: RuntimeClass "none" not found
        POST /api/v1/namespaces/default/pods
          403 Forbidden: pods "p" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead
        POST /api/v1/namespaces/default/pods
          201 Pod p @103
          + /registry/pods/default/p
        POST /api/v1/namespaces/default/pods
          403 Forbidden: pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead
        POST /api/v1/namespaces/default/pods
          403 Forbidden: pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead
        POST /api/v1/namespaces/default/pods
          403 Forbidden: pods "p" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[runtime] = heavy; pod.spec.nodeSelector[runtime] = other
    "#]],
    );
}
