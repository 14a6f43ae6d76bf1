//! Kinds with something of their own: two versions, selectors that the server makes, parts of pods.

use expect_test::expect;

use super::check;

#[test]
fn an_autoscaler_is_one_object_in_both_versions() {
    check(
        "
        POST /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers
          metadata: {name: web}
          spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: web}}
        ? spec
        GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
        ? apiVersion
        ? spec.metrics
        MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
          spec: {behavior: {scaleDown: {selectPolicy: Disabled}}}
        GET /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
        ? apiVersion
        ? metadata.annotations
        MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
          spec: {targetCPUUtilizationPercentage: 50}
        MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web/status
          status: {currentCPUUtilizationPercentage: 40, currentReplicas: 2, desiredReplicas: 2}
        GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
        ? metadata.annotations
        ? spec.metrics
        ? spec.behavior.scaleDown.selectPolicy
        ? status
        MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
          spec: {targetCPUUtilizationPercentage: 0}
        GET /apis/autoscaling/v1/horizontalpodautoscalers
        ",
        &expect![[r#"
            POST /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers
              201 HorizontalPodAutoscaler web @101
              + /registry/autoscaling/horizontalpodautoscalers/default/web
                spec = {"scaleTargetRef":{"kind":"Deployment","name":"web"},"minReplicas":1,"maxReplicas":3,"targetCPUUtilizationPercentage":80}
            GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @101
                apiVersion = "autoscaling/v2"
                spec.metrics = [{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]
            MERGE /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @102
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            GET /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @102
                apiVersion = "autoscaling/v1"
                metadata.annotations = {"autoscaling.alpha.kubernetes.io/behavior":"{\"scaleUp\":{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}],\"stabilizationWindowSeconds\":0},\"scaleDown\":{\"selectPolicy\":\"Disabled\",\"policies\":[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]}}"}
            MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @103
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web/status
              200 HorizontalPodAutoscaler web @104
              + /registry/autoscaling/horizontalpodautoscalers/default/web
            GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web
              200 HorizontalPodAutoscaler web @104
                metadata.annotations = null
                spec.metrics = [{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}}]
                spec.behavior.scaleDown.selectPolicy = "Disabled"
                status = {"currentReplicas":2,"desiredReplicas":2,"currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":40}}}]}
            MERGE /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web
              422 Invalid: HorizontalPodAutoscaler.autoscaling "web" is invalid: spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
            GET /apis/autoscaling/v1/horizontalpodautoscalers
              200 HorizontalPodAutoscalerList [web]
        "#]],
    );
}

#[test]
fn a_job_selects_its_own_pods() {
    check(
        "
        POST /apis/batch/v1/namespaces/default/jobs
          metadata: {name: j}
          spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}
        ? spec.selector
        ? spec.template.metadata.labels
        ? metadata.generation
        MERGE /apis/batch/v1/namespaces/default/jobs/j
          spec: {parallelism: 2}
        ? metadata.generation
        MERGE /apis/batch/v1/namespaces/default/jobs/j
          spec: {completionMode: Indexed}
        MERGE /apis/batch/v1/namespaces/default/jobs/j/status
          spec: {parallelism: 9}
          status: {active: 1}
        ? spec.parallelism
        ? status
        ? metadata.generation
        GET /apis/batch/v1/jobs?fields=status.successful=0
        ",
        &expect![[r#"
            POST /apis/batch/v1/namespaces/default/jobs
              201 Job j @101
              + /registry/batch/jobs/default/j
                spec.selector = {"matchLabels":{"batch.kubernetes.io/controller-uid":"b260b8a1-0343-4f5a-9dac-b4f1d32d06c4"}}
                spec.template.metadata.labels = {"batch.kubernetes.io/controller-uid":"b260b8a1-0343-4f5a-9dac-b4f1d32d06c4","batch.kubernetes.io/job-name":"j","controller-uid":"b260b8a1-0343-4f5a-9dac-b4f1d32d06c4","job-name":"j"}
                metadata.generation = 1
            MERGE /apis/batch/v1/namespaces/default/jobs/j
              200 Job j @102
              + /registry/batch/jobs/default/j
                metadata.generation = 2
            MERGE /apis/batch/v1/namespaces/default/jobs/j
              422 Invalid: Job.batch "j" is invalid: spec.completionMode: Invalid value: "Indexed": field is immutable
            MERGE /apis/batch/v1/namespaces/default/jobs/j/status
              200 Job j @103
              + /registry/batch/jobs/default/j
                spec.parallelism = 2
                status = {"active":1}
                metadata.generation = 2
            GET /apis/batch/v1/jobs?fields=status.successful=0
              200 JobList [j]
        "#]],
    );
}

#[test]
fn sets_and_replication_controllers_are_scaled() {
    check(
        "
        POST /apis/apps/v1/namespaces/default/statefulsets
          metadata: {name: db}
          spec:
            serviceName: db
            selector: {matchLabels: {app: db}}
            template:
              metadata: {labels: {app: db}}
              spec: {containers: [{name: c, image: i}]}
        MERGE /apis/apps/v1/namespaces/default/statefulsets/db/scale
          spec: {replicas: 3}
        ? spec
        ? status
        GET /apis/apps/v1/namespaces/default/statefulsets/db
        ? metadata.generation
        ? spec.replicas
        POST /api/v1/namespaces/default/replicationcontrollers
          metadata: {name: old}
          spec:
            template:
              metadata: {labels: {app: old, a: b}}
              spec: {containers: [{name: c, image: i}]}
        GET /api/v1/namespaces/default/replicationcontrollers/old/scale
        ? status
        ",
        &expect![[r#"
            POST /apis/apps/v1/namespaces/default/statefulsets
              201 StatefulSet db @101
              + /registry/apps/statefulsets/default/db
            MERGE /apis/apps/v1/namespaces/default/statefulsets/db/scale
              200 Scale db @102
              + /registry/apps/statefulsets/default/db
                spec = {"replicas":3}
                status = {"replicas":0,"selector":"app=db"}
            GET /apis/apps/v1/namespaces/default/statefulsets/db
              200 StatefulSet db @102
                metadata.generation = 2
                spec.replicas = 3
            POST /api/v1/namespaces/default/replicationcontrollers
              201 ReplicationController old @103
              + /registry/replicationcontrollers/default/old
            GET /api/v1/namespaces/default/replicationcontrollers/old/scale
              200 Scale old @103
                status = {"replicas":0,"selector":"a=b,app=old"}
        "#]],
    );
}

#[test]
fn ephemeral_containers_are_added_to_a_pod_that_runs() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i}]}
        ? metadata.generation
        STRATEGIC /api/v1/namespaces/default/pods/p/ephemeralcontainers
          spec: {hostname: other, ephemeralContainers: [{name: debug, image: busybox}]}
        ? spec.hostname
        ? spec.ephemeralContainers
        ? metadata.generation
        STRATEGIC /api/v1/namespaces/default/pods/p/ephemeralcontainers
          spec: {ephemeralContainers: [{name: debug, image: other}]}
        MERGE /api/v1/namespaces/default/pods/p
          spec: {ephemeralContainers: []}
        GET /api/v1/namespaces/default/pods/p/ephemeralcontainers
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
                metadata.generation = 1
            STRATEGIC /api/v1/namespaces/default/pods/p/ephemeralcontainers
              200 Pod p @102
              + /registry/pods/default/p
                spec.hostname = null
                spec.ephemeralContainers = [{"name":"debug","image":"busybox","resources":{},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"Always","terminationMessagePolicy":"File"}]
                metadata.generation = 2
            STRATEGIC /api/v1/namespaces/default/pods/p/ephemeralcontainers
              422 Invalid: Pod "p" is invalid: spec.ephemeralContainers: Forbidden: "debug" cannot be changed
            MERGE /api/v1/namespaces/default/pods/p
              422 Invalid: Pod "p" is invalid: spec.ephemeralContainers: Forbidden: pod updates may only change images of containers, `activeDeadlineSeconds`, scheduling gates, and add tolerations
            GET /api/v1/namespaces/default/pods/p/ephemeralcontainers
              200 Pod p @102
        "#]],
    );
}

#[test]
fn a_pod_is_resized_through_its_own_path_only() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}
        STRATEGIC /api/v1/namespaces/default/pods/p
          spec: {containers: [{name: c, resources: {requests: {cpu: 200m}}}]}
        STRATEGIC /api/v1/namespaces/default/pods/p/resize
          spec: {containers: [{name: c, image: other, resources: {requests: {cpu: 200m}}}]}
        ? spec.containers.0.image
        ? spec.containers.0.resources
        ? metadata.generation
        STRATEGIC /api/v1/namespaces/default/pods/p/resize
          spec: {containers: [{name: c, resources: {requests: {cpu: null}}}]}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            STRATEGIC /api/v1/namespaces/default/pods/p
              422 Invalid: Pod "p" is invalid: spec.containers[0].resources: Forbidden: of a pod's container only the image can change
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              200 Pod p @102
              + /registry/pods/default/p
                spec.containers.0.image = "i"
                spec.containers.0.resources = {"requests":{"cpu":"200m"}}
                metadata.generation = 2
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              422 Invalid: Pod "p" is invalid: [spec.containers[0].resources.requests: Forbidden: requests of cpu cannot be taken away, spec: Invalid value: {"volumes":[{"name":"kube-api-access-m29qv","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}],"containers":[{"name":"c","image":"i","resources":{},"volumeMounts":[{"name":"kube-api-access-m29qv","readOnly":true,"mountPath":"/var/run/secrets/kubernetes....: a resize cannot change the class of the pod's quality of service]
        "#]],
    );
}
