//! Pods that are resized while their namespace has a quota.

use expect_test::expect;

use super::check;

#[test]
fn a_pod_that_is_resized_takes_the_most_of_what_it_wants_and_what_it_has() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {requests.cpu: '2'}}
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1500m}}}]}
        MERGE /api/v1/namespaces/default/pods/p/status
          status: {containerStatuses: [{name: c, image: i, imageID: i, ready: true, restartCount: 0, allocatedResources: {cpu: 1500m}, resources: {requests: {cpu: 1500m}}}]}
        STRATEGIC /api/v1/namespaces/default/pods/p/resize
          spec: {containers: [{name: c, resources: {requests: {cpu: 500m}}}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: o}
          spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}
        STRATEGIC /api/v1/namespaces/default/pods/p/resize
          spec: {containers: [{name: c, resources: {requests: {cpu: 2500m}}}]}
        STRATEGIC /api/v1/namespaces/default/pods/p/resize
          spec: {containers: [{name: c, resources: {requests: {cpu: 2}}}]}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @101
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/pods
              201 Pod p @102
              + /registry/pods/default/p
              + /registry/resourcequotas/default/q
            MERGE /api/v1/namespaces/default/pods/p/status
              200 Pod p @104
              + /registry/pods/default/p
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              200 Pod p @105
              + /registry/pods/default/p
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "o" is forbidden: exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1500m, limited: requests.cpu=2
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              403 Forbidden: pods "p" is forbidden: exceeded quota: q, requested: requests.cpu=1, used: requests.cpu=1500m, limited: requests.cpu=2
            STRATEGIC /api/v1/namespaces/default/pods/p/resize
              200 Pod p @106
              + /registry/pods/default/p
              + /registry/resourcequotas/default/q
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @107
                status.used = {"requests.cpu":"2"}
        "#]],
    );
}
