//! What those see who watch over a server: health, metrics, OpenAPI.

use crate::door::Door;

const METRICS: &str = "/metrics";

/// The lines of a family without its comments.
fn lines(text: &str, name: &str) -> Vec<String> {
    let is_own =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ', '_']));
    text.lines().filter(is_own).map(str::to_owned).collect()
}

/// The value behind a line that has all these words.
fn number(text: &str, name: &str, words: &[&str]) -> f64 {
    let all = lines(text, name);
    let found = all.iter().find(|line| words.iter().all(|word| line.contains(word)));
    let value = found.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} with {words:?} in {all:?}"))
}

#[test]
fn checks_are_told_one_by_one_and_all_together() {
    let door = Door::open();
    for whole in ["livez", "readyz", "healthz"] {
        assert_eq!(door.ask_as_anybody(&format!("/{whole}")).expect_code(200).text(), "ok");
        let told = door.ask_as_anybody(&format!("/{whole}?verbose")).expect_code(200).text();
        assert!(told.starts_with("[+]ping ok\n"), "{told}");
        assert!(told.ends_with(&format!("{whole} check passed\n")), "{told}");
        for line in told.lines().filter(|line| line.starts_with("[+]")) {
            let name = line.trim_start_matches("[+]").split(' ').next().unwrap();
            let one = format!("/{whole}/{name}");
            assert_eq!(door.get(&one).expect_code(200).text(), "ok");
            // Single checks say more, and are not for everybody.
            door.ask_as_anybody(&one).expect_code(403);
        }
    }
    let told = door.get("/readyz?verbose&exclude=store&exclude=none").expect_code(200).text();
    assert!(told.contains("[+]store excluded: ok\n"), "{told}");
    assert!(told.contains("no matches for \"none\""), "{told}");
    door.get("/readyz/none").expect_code(404);
}

#[test]
fn requests_are_counted_where_monitors_look_for_them() {
    // Each server counts for itself.
    let door = &Door::open().at(0);
    door.ask_as_anybody(METRICS).expect_code(403);
    let all = format!("/api/v1/namespaces/{}/configmaps", door.namespace());
    door.get(&format!("{all}/none")).expect_code(404);
    let watch = door.watch(&format!("{all}?watch=true"));
    let answer = door.get(METRICS).expect_code(200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    let words =
        [r#"code="404""#, r#"resource="configmaps""#, r#"verb="GET""#, r#"scope="resource""#];
    assert!(number(&text, "apiserver_request_total", &words) >= 1.0);
    let count = "apiserver_request_duration_seconds_count";
    assert!(number(&text, count, &[r#"resource="namespaces""#, r#"verb="POST""#]) >= 1.0);
    let words = [r#"verb="WATCH""#, r#"resource="configmaps""#, r#"scope="namespace""#];
    assert!(number(&text, "apiserver_longrunning_requests", &words) >= 1.0);
    let reading = [r#"request_kind="readOnly""#];
    // The one who asks is being answered.
    assert!(number(&text, "apiserver_current_inflight_requests", &reading) >= 1.0);
    assert!(number(&text, "apiserver_storage_objects", &[r#"resource="namespaces""#]) >= 2.0);
    let words = [r#"group="rbac.authorization.k8s.io""#, r#"resource="clusterroles""#];
    assert!(number(&text, "apiserver_resource_objects", &words) >= 10.0);
    let leads = |server: usize| {
        let text = Door::open().at(server).get(METRICS).expect_code(200).text();
        number(&text, "starling_raft_is_leader", &[])
    };
    assert_eq!((0..3).map(leads).sum::<f64>().to_string(), "1");
    assert!(number(&text, "starling_raft_term", &[]) >= 1.0);
    assert!(number(&text, "process_resident_memory_bytes", &[]) > 1e6);
    let restarts = lines(&text, "starling_actor_restarts_total");
    assert!(restarts.iter().any(|line| line.contains("/edge/http\"")), "{restarts:?}");
    drop(watch);
}

#[test]
fn every_line_of_the_metrics_is_one_that_prometheus_reads() {
    let text = Door::open().get(METRICS).expect_code(200).text();
    let mut types = std::collections::BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, sort) = rest.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), sort.to_owned()).is_none(), "{name} twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (labelled, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(labelled.to_owned()), "{labelled} twice");
        let name = labelled.split('{').next().unwrap();
        let is_typed = |ending: &str| types.contains_key(name.trim_end_matches(ending));
        assert!(["", "_bucket", "_sum", "_count"].into_iter().any(is_typed), "{name} has no type");
    }
    assert!(types.len() > 20);
}

#[test]
fn kinds_are_explained_with_what_kubernetes_says_of_them() {
    let door = Door::open();
    let index = door.get("/openapi/v3").expect_code(200).json();
    let mut explained = 0;
    for (path, place) in index["paths"].as_object().unwrap() {
        let place = place["serverRelativeURL"].as_str().unwrap();
        let answer = door.get(place).expect_code(200);
        assert!(answer.header("cache-control").contains("immutable"), "{path}");
        let document = answer.json();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            if schema.get("x-kubernetes-group-version-kind").is_some() && !name.ends_with("List") {
                assert!(
                    schema["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{name}"
                );
                explained += 1;
            }
        }
    }
    assert!(explained > 30, "{explained}");
    let packed = [
        ("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"),
        ("accept-encoding", "identity"),
    ];
    let answer = door.ask("GET", "/openapi/v2", &packed, b"").expect_code(200);
    assert!(answer.header("content-type").contains("proto-openapi.spec.v2"));
    assert!(answer.body.starts_with(b"\x0a\x032.0"), "the first field is the version");
}
