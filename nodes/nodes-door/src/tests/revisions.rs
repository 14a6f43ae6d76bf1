//! What `resourceVersion`, `resourceVersionMatch`, `limit`, `continue` and `sendInitialEvents` mean
//! for each verb: a table, each row with the place in the documentation that it is taken from.
//!
//! "API Concepts" is the page "Kubernetes API Concepts", section "Resource versions" unless said
//! otherwise; its tables are named after their headings.

use store_catalog::Snapshot;

use super::harness::Scene;
use crate::{Response, ResponseBody, Step, WatchEvent};

/// Three objects: `a` at 101, `b` at 102, `c` at 103; `a` changed at 104, `b` was deleted at 105.
struct Past {
    scene: Scene,
    /// What a server still has: the state at each revision from 103 on.
    kept: Vec<Snapshot>,
}

impl Past {
    fn new() -> Self {
        let mut scene = Scene::new();
        let mut kept = Vec::new();
        for line in [
            "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: a, labels: {x: '1'}}\n",
            "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: b, labels: {x: '1'}}\n",
            "POST /api/v1/namespaces/default/configmaps\n  metadata: {name: c}\n",
            "MERGE /api/v1/namespaces/default/configmaps/a\n  data: {k: v}\n",
            "DELETE /api/v1/namespaces/default/configmaps/b\n",
        ] {
            scene.run(line);
            kept.push(scene.catalog.snapshot());
        }
        kept.retain(|snapshot| snapshot.revision().0 >= 103);
        Self { scene, kept }
    }

    /// Decides a request as a server does: on the pinned revision where it still has it.
    fn ask(&mut self, line: &str) -> Response {
        let request = self.scene.parse(line, b"");
        let pinned = self.scene.door.pinned_revision(&request);
        let past = pinned.and_then(|at| self.kept.iter().find(|kept| kept.revision() == at));
        let past = past.cloned();
        let step = match past {
            Some(past) => self.scene.turn(|door, turn| door.decide_past(&request, turn, &past)),
            None => self.scene.decide(&request),
        };
        match step {
            Step::Reply(response) => response,
            other => panic!("a read proposes nothing: {other:?}"),
        }
    }

    /// An answer in one line, and the token of a list.
    fn answer(&mut self, line: &str) -> (String, String) {
        let response = self.ask(line);
        match &response.body {
            ResponseBody::Entry(entry) => {
                let object = entry.object();
                (format!("{} @{}", object.name(), object.resource_version()), String::new())
            }
            ResponseBody::List(list) => {
                let names = list.entries.iter().map(|entry| entry.object().name().to_owned());
                let names: Vec<String> = names.collect();
                let rest = list.remaining.map(|rest| format!(" and {rest} more"));
                let more = if list.continue_token.is_some() { " ..." } else { "" };
                let text = format!(
                    "[{}]{}{more} @{}",
                    names.join(" "),
                    rest.unwrap_or_default(),
                    list.revision.0
                );
                (text, list.continue_token.clone().unwrap_or_default())
            }
            ResponseBody::Error(error) => {
                let details = error.details.clone().unwrap_or_default();
                let causes = details.causes.iter().map(|cause| {
                    let field = if cause.field.is_empty() { "" } else { ":" };
                    format!(" {}{field}{}", cause.field, cause.reason)
                });
                let causes: String = causes.collect();
                let reason = error.reason.as_str();
                (format!("{} {reason}{causes}", error.code), details.continue_token)
            }
            other => panic!("{other:?}"),
        }
    }

    /// How a watch begins, in one line.
    fn beginning(&self, line: &str) -> String {
        let request = self.scene.parse(line, b"");
        let mut plan = match self.scene.door.watch(&request, &self.scene.catalog.snapshot()) {
            Ok(plan) => plan,
            Err(error) => return format!("{} {}", error.code, error.reason.as_str()),
        };
        let mut words = Vec::new();
        loop {
            let events = plan.take_initial(1);
            if events.is_empty() {
                break;
            }
            words.extend(events.iter().map(|event| match event {
                WatchEvent::Added(entry) => format!("+{}", entry.object().name()),
                WatchEvent::Bookmark(revision, true) => format!("end@{revision}"),
                other => panic!("{other:?}"),
            }));
        }
        let start = plan.start.after();
        words.push(format!("then behind {start}"));
        words.join(" ")
    }
}

/// The documentation's place, the request's query, the answer.
type Row = (&'static str, &'static str, &'static str);

const LISTS: [Row; 23] = [
    ("API Concepts, List: limit unset, unset: Most Recent", "", "[a c] @105"),
    ("API Concepts, List: limit unset, \"0\": Any", "rv=0", "[a c] @105"),
    ("API Concepts, List: limit unset, other: Not older than", "rv=103", "[a c] @105"),
    ("API Concepts, List: limit=n, unset: Most Recent", "limit=1", "[a] and 1 more ... @105"),
    ("API Concepts, List: limit=n, \"0\": Any", "limit=1&rv=0", "[a] and 1 more ... @105"),
    ("API Concepts, List: limit=n, other: Exact", "limit=1&rv=103", "[a] and 2 more ... @103"),
    ("KEP-2523: Exact", "rv=104&match=Exact", "[a b c] @104"),
    ("KEP-2523: Exact with limit", "rv=103&match=Exact&limit=2", "[a b] and 1 more ... @103"),
    ("KEP-2523: Exact at the newest revision", "rv=105&match=Exact", "[a c] @105"),
    ("KEP-2523: NotOlderThan", "rv=103&match=NotOlderThan", "[a c] @105"),
    ("KEP-2523: NotOlderThan with limit", "rv=103&match=NotOlderThan&limit=9", "[a c] @105"),
    ("KEP-2523: NotOlderThan with \"0\": Any", "rv=0&match=NotOlderThan", "[a c] @105"),
    (
        "KEP-2523: Exact without a version is invalid",
        "match=Exact",
        "422 Invalid resourceVersionMatch:FieldValueForbidden",
    ),
    (
        "KEP-2523: NotOlderThan without a version is invalid",
        "match=NotOlderThan",
        "422 Invalid resourceVersionMatch:FieldValueForbidden",
    ),
    (
        "KEP-2523: Exact with \"0\" is invalid",
        "rv=0&match=Exact",
        "422 Invalid resourceVersionMatch:FieldValueForbidden",
    ),
    (
        "KEP-2523: there are two words",
        "rv=103&match=Newest",
        "422 Invalid resourceVersionMatch:FieldValueNotSupported",
    ),
    (
        "KEP-3157: sendInitialEvents is a watch's",
        "initial=true",
        "422 Invalid sendInitialEvents:FieldValueForbidden",
    ),
    ("API Concepts, 410 Gone responses", "rv=102&match=Exact", "410 Expired"),
    ("API Concepts, 410 Gone responses", "rv=102&limit=1", "410 Expired"),
    (
        "API Concepts, Unavailable resource versions",
        "rv=999",
        "504 Timeout ResourceVersionTooLarge",
    ),
    (
        "API Concepts, Unavailable resource versions",
        "rv=999&match=Exact",
        "504 Timeout ResourceVersionTooLarge",
    ),
    ("API Concepts: a version is what a server gave out", "rv=x", "400 BadRequest"),
    (
        "ListMeta.remainingItemCount: unset if the list is selected",
        "limit=1&rv=103&labels=x=1",
        "[a] ... @103",
    ),
];

#[test]
fn lists_are_as_fresh_as_their_options_say() {
    let mut past = Past::new();
    for (place, query, expected) in LISTS {
        let (answer, _) = past.answer(&format!("GET /api/v1/configmaps?{query}"));
        assert_eq!(answer, expected, "{place}: {query}");
    }
}

#[test]
fn objects_are_as_fresh_as_their_options_say() {
    let mut past = Past::new();
    for (place, query, expected) in [
        ("API Concepts, Get: unset: Most Recent", "", "a @104"),
        ("API Concepts, Get: \"0\": Any", "?rv=0", "a @104"),
        ("API Concepts, Get: other: Not older than", "?rv=101", "a @104"),
        (
            "API Concepts, Unavailable resource versions",
            "?rv=999",
            "504 Timeout ResourceVersionTooLarge",
        ),
    ] {
        let line = format!("GET /api/v1/namespaces/default/configmaps/a{query}");
        assert_eq!(past.answer(&line).0, expected, "{place}");
    }
}

const WATCHES: [Row; 14] = [
    ("API Concepts, Watch: unset: Get State and Start at Most Recent", "", "+a +c then behind 105"),
    ("API Concepts, Watch: \"0\": Get State and Start at Any", "rv=0", "+a +c then behind 105"),
    ("API Concepts, Watch: other: Start at Exact", "rv=103", "then behind 103"),
    (
        "KEP-3157: true, unset: as fresh as a list",
        "initial=true&match=NotOlderThan&bookmarks=true",
        "+a +c end@105 then behind 105",
    ),
    (
        "KEP-3157: true, \"0\": any state",
        "initial=true&match=NotOlderThan&bookmarks=true&rv=0",
        "+a +c end@105 then behind 105",
    ),
    (
        "KEP-3157: true, other: at least that state",
        "initial=true&match=NotOlderThan&bookmarks=true&rv=103",
        "+a +c end@105 then behind 105",
    ),
    (
        "API Concepts, Watch bookmarks: only for who asks for them",
        "initial=true&match=NotOlderThan",
        "+a +c then behind 105",
    ),
    (
        "KEP-3157: false, unset: nothing of what was there",
        "initial=false&match=NotOlderThan",
        "then behind 105",
    ),
    (
        "KEP-3157: false, other: Start at Exact",
        "initial=false&match=NotOlderThan&rv=104",
        "then behind 104",
    ),
    ("KEP-3157: it needs resourceVersionMatch", "initial=true", "422 Invalid"),
    ("KEP-3157: and no other word", "initial=true&match=Exact&rv=104", "422 Invalid"),
    ("KEP-3157: resourceVersionMatch needs it", "match=NotOlderThan&rv=104", "422 Invalid"),
    ("API Concepts, Unavailable resource versions", "rv=999", "504 Timeout"),
    ("API Concepts: a version is what a server gave out", "rv=x", "400 BadRequest"),
];

#[test]
fn watches_begin_where_their_options_say() {
    let past = Past::new();
    for (place, query, expected) in WATCHES {
        let answer = past.beginning(&format!("WATCH /api/v1/configmaps?{query}"));
        assert_eq!(answer, expected, "{place}: {query}");
    }
}

/// API Concepts, "Retrieving large results sets in chunks"; `ListMeta.continue`.
#[test]
fn pages_are_of_one_revision_until_it_is_gone() {
    let mut past = Past::new();
    let list = "GET /api/v1/configmaps?limit=1";
    let (first, token) = past.answer(&format!("{list}&rv=103"));
    assert_eq!(first, "[a] and 2 more ... @103");
    let (second, last) = past.answer(&format!("{list}&continue={token}"));
    assert_eq!(second, "[b] and 1 more ... @103", "b was deleted later");
    assert_eq!(past.answer(&format!("{list}&continue={last}")).0, "[c] @103");
    // API Concepts, List: continue with "0" is treated as without, any other version is a 400.
    let (answer, _) = past.answer(&format!("{list}&continue={token}&rv=0"));
    assert_eq!(answer, "[b] and 1 more ... @103");
    for query in ["rv=103", "rv=105"] {
        let (answer, _) = past.answer(&format!("{list}&continue={token}&{query}"));
        assert_eq!(answer, "400 BadRequest", "{query}");
    }
    let (answer, _) = past.answer(&format!("{list}&continue={token}&rv=103&match=Exact"));
    assert_eq!(answer, "422 Invalid resourceVersionMatch:FieldValueForbidden");
    // Status.metadata.continue of a 410: the rest of what is there now.
    past.kept.clear();
    let (answer, now) = past.answer(&format!("{list}&continue={token}"));
    assert_eq!(answer, "410 Expired");
    assert_eq!(past.answer(&format!("{list}&continue={now}")).0, "[c] @105");
}

/// Who may see a list is judged by what holds now, not by what held at the list's revision.
#[test]
fn a_right_that_was_taken_away_does_not_show_the_past() {
    let mut past = Past::new();
    past.scene.run(
        "
        POST /apis/rbac.authorization.k8s.io/v1/clusterroles
          metadata: {name: reader}
          rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
        POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
          metadata: {name: eve}
          roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
          subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
        ",
    );
    past.kept.push(past.scene.catalog.snapshot());
    past.scene.run("@ eve\n");
    let (page, token) = past.answer("GET /api/v1/configmaps?limit=1");
    assert_eq!(page, "[a] and 1 more ... @107");
    let next = format!("GET /api/v1/configmaps?limit=1&continue={token}");
    assert_eq!(past.answer(&next).0, "[c] @107");
    past.scene.run(
        "@ admin system:masters
DELETE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/eve
@ eve
",
    );
    assert_eq!(past.answer(&next).0, "403 Forbidden");
}
