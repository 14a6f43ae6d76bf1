//! What a server says that it serves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::door::Door;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_version_is_told_in_digits() {
    let version = Door::open().get("/version").expect_code(200).json();
    for field in ["major", "minor"] {
        let text = version[field].as_str().unwrap();
        assert!(!text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit()), "{text}");
    }
    assert_eq!((&version["major"], &version["minor"]), (&"1".into(), &"35".into()));
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1.35."));
}

#[test]
fn every_group_prefers_a_version_that_it_serves() {
    let door = Door::open();
    let groups = door.get("/apis").expect_code(200).json();
    for listed in groups["groups"].as_array().unwrap() {
        let name = listed["name"].as_str().unwrap();
        let group = door.get(&format!("/apis/{name}")).expect_code(200).json();
        let preferred = &group["preferredVersion"];
        assert_eq!(*preferred, listed["preferredVersion"], "{name}");
        let versions = texts(&group["versions"], "groupVersion");
        assert!(versions.contains(&preferred["groupVersion"].as_str().unwrap().to_owned()));
        for version in versions {
            assert!(version.starts_with(&format!("{name}/")), "{version}");
        }
    }
}

#[test]
fn every_version_lists_its_resources() {
    let door = Door::open();
    let groups = door.get("/apis").expect_code(200).json();
    let mut all = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().unwrap() {
        let versions = texts(&group["versions"], "groupVersion");
        all.extend(versions.iter().map(|version| format!("/apis/{version}")));
    }
    for path in all {
        let list = door.get(&path).expect_code(200).json();
        assert_eq!(list["kind"], "APIResourceList");
        assert!(path.ends_with(list["groupVersion"].as_str().unwrap()), "{path}");
        assert!(!list["resources"].as_array().unwrap().is_empty(), "{path}");
    }
    let names = texts(&door.get("/api/v1").json()["resources"], "name");
    assert!(names.contains(&"pods/eviction".to_owned()), "without it, drains delete: {names:?}");
}

#[test]
fn aggregated_discovery_has_what_the_plain_documents_have() {
    let door = Door::open();
    for root in ["/api", "/apis"] {
        let answer = door.ask("GET", root, &[("accept", AGGREGATED)], b"").expect_code(200);
        assert_eq!(answer.header("content-type"), AGGREGATED);
        let known = [("accept", AGGREGATED), ("if-none-match", answer.header("etag"))];
        let again = door.ask("GET", root, &known, b"").expect_code(304);
        assert!(again.body.is_empty());
        let list = answer.json();
        assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
        for group in list["items"].as_array().unwrap() {
            let name = group["metadata"]["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().unwrap() {
                let word = version["version"].as_str().unwrap();
                let path = match name {
                    "" => format!("/api/{word}"),
                    name => format!("/apis/{name}/{word}"),
                };
                let plain = texts(&door.get(&path).json()["resources"], "name");
                let plain: BTreeSet<String> = plain.into_iter().collect();
                let mut told = BTreeSet::new();
                for one in version["resources"].as_array().unwrap() {
                    let resource = one["resource"].as_str().unwrap();
                    told.insert(resource.to_owned());
                    for sub in one["subresources"].as_array().into_iter().flatten() {
                        let sub = sub["subresource"].as_str().unwrap();
                        told.insert(format!("{resource}/{sub}"));
                    }
                }
                assert_eq!(told, plain, "{path}");
            }
        }
    }
}

#[test]
fn aggregated_discovery_is_negotiated() {
    let door = Door::open();
    let media = |accept: &str| {
        let answer = door.ask("GET", "/apis", &[("accept", accept)], b"").expect_code(200);
        answer.header("content-type").to_owned()
    };
    assert_eq!(media("application/json"), "application/json");
    assert_eq!(media("*/*"), "application/json");
    assert_eq!(media(&format!("{AGGREGATED},application/json")), AGGREGATED);
    let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    assert_eq!(media(&format!("{old},application/json")), old);
    let later = "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList";
    assert_eq!(media(&format!("{later},application/json")), "application/json");
}

#[test]
fn what_has_no_metadata_is_no_table() {
    let door = Door::open();
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    let head = [("accept", table), ("content-type", "application/json")];
    let body = br#"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}"#;
    let refused = door.ask("POST", path, &head, body).expect_code(406);
    assert_eq!(refused.json()["reason"], "NotAcceptable");
}
