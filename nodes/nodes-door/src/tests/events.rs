//! Events of two groups are the same objects.

use expect_test::expect;

use super::check;

#[test]
fn an_event_is_seen_in_both_groups() {
    check(
        "
        POST /apis/events.k8s.io/v1/namespaces/default/events
          metadata: {name: e}
          regarding: {kind: Pod, name: p, namespace: default}
          note: it went well
          reason: Started
          action: Start
          type: Normal
          eventTime: 2026-11-21T08:05:00.000000Z
          reportingController: x.io/agent
          reportingInstance: n1
        ? note
        GET /api/v1/namespaces/default/events/e
        ? message
        ? involvedObject
        MERGE /api/v1/namespaces/default/events/e
          count: 2
        GET /apis/events.k8s.io/v1/namespaces/default/events/e
        ? kind
        ? note
        ? deprecatedCount
        GET /api/v1/events?fields=involvedObject.name=p
        GET /apis/events.k8s.io/v1/events?fields=regarding.name=p
        GET /apis/events.k8s.io/v1/events?fields=regarding.name=q
        MERGE /apis/events.k8s.io/v1/namespaces/default/events/e
          metadata: {labels: {a: b}}
        ? apiVersion
        DELETE /apis/events.k8s.io/v1/namespaces/default/events/e
        ",
        &expect![[r#"
            POST /apis/events.k8s.io/v1/namespaces/default/events
              201 Event e @101
              + /registry/events/default/e
                note = "it went well"
            GET /api/v1/namespaces/default/events/e
              200 Event e @101
                message = "it went well"
                involvedObject = {"kind":"Pod","namespace":"default","name":"p"}
            MERGE /api/v1/namespaces/default/events/e
              200 Event e @102
              + /registry/events/default/e
            GET /apis/events.k8s.io/v1/namespaces/default/events/e
              200 Event e @102
                kind = "Event"
                note = "it went well"
                deprecatedCount = 2
            GET /api/v1/events?fields=involvedObject.name=p
              200 EventList [e]
            GET /apis/events.k8s.io/v1/events?fields=regarding.name=p
              200 EventList [e]
            GET /apis/events.k8s.io/v1/events?fields=regarding.name=q
              200 EventList []
            MERGE /apis/events.k8s.io/v1/namespaces/default/events/e
              200 Event e @103
              + /registry/events/default/e
                apiVersion = "events.k8s.io/v1"
            DELETE /apis/events.k8s.io/v1/namespaces/default/events/e
              200 Success
              - /registry/events/default/e
        "#]],
    );
}
