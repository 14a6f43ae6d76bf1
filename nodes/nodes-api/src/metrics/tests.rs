//! Which requests are told apart, and that none can add names at will.

use std::sync::{Arc, OnceLock};

use actix_web::http::Method;
use actors_kinds::Registry;
use expect_test::expect;

use super::{Asked, Family, FiguresPort, Metrics, requests::About};
use crate::{path, query::Query};

struct Nothing;

impl FiguresPort for Nothing {
    fn figures(&self) -> Vec<Family> {
        vec![Family::gauge("starling_raft_term", "Its term.").with(Vec::new(), 7.0)]
    }
}

fn about(method: &str, uri: &str) -> About {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Registry::builtin().expect("the tables are good"));
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    About::of(&method, (path, &path::parse(path)), &Query::parse(query), registry)
}

fn answered(mut asked: Asked, code: u16, size: u64) {
    asked.code = code;
    asked.size = size;
}

fn lines(metrics: &Metrics, beginning: &str) -> String {
    let text = metrics.text();
    text.lines()
        .filter(|line| line.starts_with(beginning))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn requests_are_counted_by_what_they_are_about() {
    let metrics = Metrics::new(Arc::new(Nothing));
    for (method, uri, code) in [
        ("GET", "/api/v1/namespaces/a/pods", 200),
        ("GET", "/api/v1/pods?limit=500", 200),
        ("GET", "/api/v1/namespaces/a/pods/p", 404),
        ("GET", "/api/v1/namespaces/b/pods/q", 404),
        ("POST", "/apis/apps/v1/namespaces/a/deployments?dryRun=All", 201),
        ("DELETE", "/api/v1/namespaces/a/pods", 200),
        ("PATCH", "/api/v1/namespaces/a/pods/p/status", 200),
        ("GET", "/readyz/store", 403),
    ] {
        answered(metrics.begin(about(method, uri)), code, 100);
    }
    expect![[r#"
        apiserver_request_total{component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="DELETECOLLECTION",version="v1",code="200",dry_run=""} 1
        apiserver_request_total{component="apiserver",group="",resource="",scope="",subresource="/readyz",verb="GET",version="",code="403",dry_run=""} 1
        apiserver_request_total{component="apiserver",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1",code="404",dry_run=""} 2
        apiserver_request_total{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1",code="200",dry_run=""} 1
        apiserver_request_total{component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1",code="200",dry_run=""} 1
        apiserver_request_total{component="apiserver",group="",resource="pods",scope="resource",subresource="status",verb="PATCH",version="v1",code="200",dry_run=""} 1
        apiserver_request_total{component="apiserver",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1",code="201",dry_run="All"} 1
    "#]]
    .assert_eq(&lines(&metrics, "apiserver_request_total"));
    assert_eq!(lines(&metrics, "starling_raft_term"), "starling_raft_term 7\n");
    assert!(lines(&metrics, "process_cpu_seconds_total").ends_with('\n'));
}

#[test]
fn what_lasts_is_open_until_it_ends() {
    let metrics = Metrics::new(Arc::new(Nothing));
    let watch = metrics.begin(about("GET", "/api/v1/pods?watch=1"));
    let exec = metrics.begin(about("POST", "/api/v1/namespaces/a/pods/p/exec?command=x"));
    let write = metrics.begin(about("PUT", "/api/v1/namespaces/a/pods/p"));
    let open = "apiserver_longrunning_requests";
    let told = lines(&metrics, open);
    assert!(told.contains(r#"verb="WATCH",version="v1"} 1"#), "{told}");
    assert!(told.contains(r#"subresource="exec",verb="CONNECT",version="v1"} 1"#), "{told}");
    expect![[r#"
        apiserver_current_inflight_requests{request_kind="readOnly"} 0
        apiserver_current_inflight_requests{request_kind="mutating"} 1
    "#]]
    .assert_eq(&lines(&metrics, "apiserver_current_inflight_requests"));
    answered(watch, 200, 5);
    drop((exec, write));
    let told = lines(&metrics, open);
    assert!(told.contains(r#"verb="WATCH",version="v1"} 0"#), "{told}");
    // Who went away before the answer is counted nowhere.
    assert_eq!(lines(&metrics, "apiserver_request_total").lines().count(), 1);
}

#[test]
fn no_client_can_add_names() {
    let metrics = Metrics::new(Arc::new(Nothing));
    for number in 0..1_000 {
        for uri in [
            format!("/api/v1/things{number}"),
            format!("/apis/group{number}/v1/pods"),
            format!("/api/v1/namespaces/n{number}/pods/p{number}"),
            format!("/api/v1/namespaces/a/pods/p/sub{number}"),
            format!("/path{number}"),
        ] {
            answered(metrics.begin(about("GET", &uri)), 404, 1);
        }
    }
    answered(metrics.begin(about("BREW", "/coffee")), 405, 1);
    assert_eq!(lines(&metrics, "apiserver_request_total").lines().count(), 3);
}
