//! Server-side apply at the door: owners, conflicts, and what is dropped.

use expect_test::expect;

use super::harness::check;

#[test]
fn configurations_are_laid_over_each_other_and_conflict() {
    check(
        "
        APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
          spec:
            replicas: 2
            selector: {matchLabels: {app: web}}
            template:
              metadata: {labels: {app: web}}
              spec: {containers: [{name: c, image: i, env: [{name: A, value: '1'}, {name: B, value: '2'}]}]}
        ? metadata.managedFields
        APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=b
          metadata: {labels: {team: x}}
          spec: {replicas: 3}
        ? details.causes
        APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=b&force=true
          metadata: {labels: {team: x}}
          spec: {replicas: 3}
        ? spec.replicas
        APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
          spec:
            selector: {matchLabels: {app: web}}
            template:
              metadata: {labels: {app: web}}
              spec: {containers: [{name: c, image: i, env: [{name: B, value: '2'}]}]}
        ? spec.replicas
        ? spec.template.spec.containers
        APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
          spec:
            selector: {matchLabels: {app: web}}
            template:
              metadata: {labels: {app: web}}
              spec: {containers: [{name: c, image: i, env: [{name: B, value: '2'}]}]}
        APPLY /apis/apps/v1/namespaces/default/deployments/web/status?fieldManager=s
          metadata: {labels: {team: x}}
          spec: {replicas: 9}
          status: {observedGeneration: 1}
        ? spec.replicas
        ? status
        ",
        &expect![[r#"
            APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
              201 Deployment web @101
              + /registry/apps/deployments/default/web
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"apps/v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:env":{"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"B\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:name":{}}}}}}}}]
            APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=b
              409 Conflict: Apply failed with 1 conflict: conflict with "a": .spec.replicas
                details.causes = [{"reason":"FieldManagerConflict","message":"conflict with \"a\"","field":".spec.replicas"}]
            APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=b&force=true
              200 Deployment web @102
              + /registry/apps/deployments/default/web
                spec.replicas = 3
            APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
              200 Deployment web @103
              + /registry/apps/deployments/default/web
                spec.replicas = 3
                spec.template.spec.containers = [{"name":"c","image":"i","env":[{"name":"B","value":"2"}],"resources":{},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]
            APPLY /apis/apps/v1/namespaces/default/deployments/web?fieldManager=a
              200 Deployment web @103
            APPLY /apis/apps/v1/namespaces/default/deployments/web/status?fieldManager=s
              200 Deployment web @104
              + /registry/apps/deployments/default/web
                spec.replicas = 3
                status = {"observedGeneration":1}
        "#]],
    );
}

#[test]
fn what_the_server_filled_in_is_no_difference() {
    check(
        "
        APPLY /api/v1/namespaces/default/pods/p?fieldManager=a
          spec: {containers: [{name: c, image: i, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}
        APPLY /api/v1/namespaces/default/pods/p?fieldManager=b
          spec: {containers: [{name: c, image: i, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}
        ? spec.containers
        ",
        &expect![[r#"
            APPLY /api/v1/namespaces/default/pods/p?fieldManager=a
              201 Pod p @101
              + /registry/pods/default/p
            APPLY /api/v1/namespaces/default/pods/p?fieldManager=b
              200 Pod p @102
              + /registry/pods/default/p
                spec.containers = [{"name":"c","image":"i","env":[{"name":"A","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}],"resources":{},"volumeMounts":[{"name":"kube-api-access-m29qv","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]
        "#]],
    );
}

#[test]
fn what_is_no_configuration_is_refused() {
    check(
        "
        APPLY /api/v1/namespaces/default/configmaps/a
          data: {k: v}
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          metadata: {managedFields: [{}]}
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          kind: Secret
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          metadata: {name: b}
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          date: {k: v}
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          data: {k: v}
        APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
          metadata: {resourceVersion: '7'}
          data: {k: w}
        APPLY /api/v1/namespaces/default/configmaps/a/status?fieldManager=a
          data: {k: w}
        MERGE /api/v1/namespaces/default/configmaps/a
          metadata: {managedFields: []}
        ? metadata.managedFields
        ",
        &expect![[r#"
            APPLY /api/v1/namespaces/default/configmaps/a
              400 BadRequest: fieldManager is required for an apply: who owns the fields?
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              400 BadRequest: metadata.managedFields must be absent in an apply
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              400 BadRequest: kind of the body is "Secret", but the path means "ConfigMap"
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              400 BadRequest: metadata.name of the body is "b", but the path means "a"
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "date"
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            APPLY /api/v1/namespaces/default/configmaps/a?fieldManager=a
              409 Conflict: Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again
            APPLY /api/v1/namespaces/default/configmaps/a/status?fieldManager=a
              404 NotFound: the server could not find the requested resource
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @102
              + /registry/configmaps/default/a
                metadata.managedFields = null
        "#]],
    );
}

#[test]
fn several_conflicts_are_told_by_their_owners() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps?fieldManager=a
          metadata: {name: m}
          data: {k: v, l: v}
        APPLY /api/v1/namespaces/default/configmaps/m?fieldManager=b
          data: {m: v}
        APPLY /api/v1/namespaces/default/configmaps/m?fieldManager=c
          data: {k: w, l: w, m: w}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps?fieldManager=a
              201 ConfigMap m @101
              + /registry/configmaps/default/m
            APPLY /api/v1/namespaces/default/configmaps/m?fieldManager=b
              200 ConfigMap m @102
              + /registry/configmaps/default/m
            APPLY /api/v1/namespaces/default/configmaps/m?fieldManager=c
              409 Conflict: Apply failed with 3 conflicts: conflicts with "b":
            - .data.m
            conflicts with "a" using v1:
            - .data.k
            - .data.l
        "#]],
    );
}

#[test]
fn each_owner_of_an_autoscaler_has_the_version_that_it_wrote() {
    check(
        "
        APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
          spec:
            maxReplicas: 5
            scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
            targetCPUUtilizationPercentage: 50
        GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
        ? metadata.managedFields
        ? spec.metrics
        MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=b
          spec: {minReplicas: 2}
        GET /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
        ? metadata.managedFields
        APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=c
          spec:
            metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
        APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=c&force=true
          spec:
            metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
        ? metadata.managedFields
        APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=d
          spec: {targetCPUUtilizationPercentage: 80}
        ",
        &expect![[r#"
            APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
              201 HorizontalPodAutoscaler web @101
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @101
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"autoscaling/v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:maxReplicas":{},"f:scaleTargetRef":{},"f:targetCPUUtilizationPercentage":{}}}}]
                spec.metrics = [{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}}]
            MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=b
              200 HorizontalPodAutoscaler web @102
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            GET /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @102
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"autoscaling/v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:maxReplicas":{},"f:scaleTargetRef":{},"f:targetCPUUtilizationPercentage":{}}}},{"manager":"b","operation":"Update","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:minReplicas":{}}}}]
            APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=c
              409 Conflict: Apply failed with 1 conflict: conflict with "a": .spec.targetCPUUtilizationPercentage
            APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=c&force=true
              200 HorizontalPodAutoscaler web @103
              + /registry/autoscaling/horizontalpodautoscalers/default/web
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"autoscaling/v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:maxReplicas":{},"f:scaleTargetRef":{}}}},{"manager":"c","operation":"Apply","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:metrics":{}}}},{"manager":"b","operation":"Update","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:minReplicas":{}}}}]
            APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=d
              409 Conflict: Apply failed with 1 conflict: conflict with "c": .spec.metrics
        "#]],
    );
}

#[test]
fn who_applies_in_another_version_takes_back_what_it_applied_before() {
    check(
        "
        APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
          metadata: {labels: {mine: x}}
          spec:
            maxReplicas: 5
            scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
            targetCPUUtilizationPercentage: 50
        MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=b
          spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}
        APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
          spec:
            maxReplicas: 5
            scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
            metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 70}}}]
        ? metadata.labels
        ? metadata.managedFields
        ? spec.metrics
        ? spec.behavior.scaleDown.stabilizationWindowSeconds
        APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
          spec:
            maxReplicas: 5
            scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
        ? metadata.annotations
        ? metadata.managedFields
        ",
        &expect![[r#"
            APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
              201 HorizontalPodAutoscaler web @101
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=b
              200 HorizontalPodAutoscaler web @102
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            APPLY /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
              200 HorizontalPodAutoscaler web @103
              + /registry/autoscaling/horizontalpodautoscalers/default/web
                metadata.labels = null
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:maxReplicas":{},"f:metrics":{},"f:scaleTargetRef":{"f:apiVersion":{},"f:kind":{},"f:name":{}}}}},{"manager":"b","operation":"Update","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:behavior":{"f:scaleDown":{"f:policies":{},"f:selectPolicy":{},"f:stabilizationWindowSeconds":{}},"f:scaleUp":{"f:policies":{},"f:selectPolicy":{},"f:stabilizationWindowSeconds":{}}}}}}]
                spec.metrics = [{"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":70}}}]
                spec.behavior.scaleDown.stabilizationWindowSeconds = 60
            APPLY /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web?fieldManager=a
              200 HorizontalPodAutoscaler web @104
              + /registry/autoscaling/horizontalpodautoscalers/default/web
                metadata.annotations = {"autoscaling.alpha.kubernetes.io/behavior":"{\"scaleUp\":{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}],\"stabilizationWindowSeconds\":0},\"scaleDown\":{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}],\"stabilizationWindowSeconds\":60}}"}
                metadata.managedFields = [{"manager":"a","operation":"Apply","apiVersion":"autoscaling/v1","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:maxReplicas":{},"f:scaleTargetRef":{}}}},{"manager":"b","operation":"Update","apiVersion":"autoscaling/v2","time":"2026-11-21T08:05:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:behavior":{"f:scaleDown":{"f:policies":{},"f:selectPolicy":{},"f:stabilizationWindowSeconds":{}},"f:scaleUp":{"f:policies":{},"f:selectPolicy":{},"f:stabilizationWindowSeconds":{}}}}}}]
        "#]],
    );
}
