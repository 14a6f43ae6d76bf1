//! Every kind in every form that clients ask for.

use crate::door::Door;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The paths of all lists that the server has.
fn lists(door: &Door) -> Vec<String> {
    let groups = door.get("/apis").expect_code(200).json();
    let mut versions = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().unwrap() {
        for version in group["versions"].as_array().unwrap() {
            versions.push(format!("/apis/{}", version["groupVersion"].as_str().unwrap()));
        }
    }
    let mut lists = Vec::new();
    for version in versions {
        let all = door.get(&version).expect_code(200).json();
        for resource in all["resources"].as_array().unwrap() {
            let verbs = resource["verbs"].as_array().unwrap();
            if verbs.iter().any(|verb| verb == "list") {
                lists.push(format!("{version}/{}", resource["name"].as_str().unwrap()));
            }
        }
    }
    lists
}

#[test]
fn every_kind_is_listed_in_every_form() {
    let door = Door::open();
    let lists = lists(door);
    assert!(lists.len() > 50, "{lists:?}");
    let get = |path: &str, accept: &str| {
        door.ask("GET", path, &[("accept", accept)], b"").expect_code(200)
    };
    for path in &lists {
        let table = get(path, TABLE).json();
        assert_eq!(table["kind"], "Table", "{path}");
        let columns = table["columnDefinitions"].as_array().unwrap();
        assert!(columns.iter().all(|column| column["name"].is_string()), "{path}");
        assert!(!columns.is_empty(), "{path}");
        let partial = get(path, &format!("application/json;{METADATA}")).json();
        assert_eq!(partial["kind"], "PartialObjectMetadataList", "{path}");
        let yaml = get(path, "application/yaml");
        assert_eq!(yaml.header("content-type"), "application/yaml", "{path}");
        assert!(yaml.text().contains("\nkind: "), "{path}: {}", yaml.text());
        for accept in [PROTOBUF.to_owned(), format!("{PROTOBUF};{METADATA}")] {
            let packed = get(path, &accept);
            assert!(packed.header("content-type").starts_with(PROTOBUF), "{path}");
            assert!(packed.body.starts_with(b"k8s\0"), "{path}");
        }
    }
}

#[test]
fn objects_are_read_and_written_in_yaml() {
    let door = Door::open();
    let all = format!("/api/v1/namespaces/{}/configmaps", door.namespace());
    let head = [("accept", "application/yaml"), ("content-type", "application/yaml")];
    let body = b"metadata:\n  name: a\ndata:\n  lines: |\n    x\n    y\n  number: \"1\"\n";
    let made = door.ask("POST", &all, &head, body).expect_code(201);
    assert!(made.text().starts_with("apiVersion: v1\ndata:\n  lines: |\n    x\n    y\n"));
    let read = door.ask("GET", &format!("{all}/a"), &head[..1], b"").expect_code(200);
    assert_eq!(read.text(), made.text());
    let lost = door.ask("GET", &format!("{all}/b"), &head[..1], b"").expect_code(404);
    assert!(lost.text().contains("\nreason: NotFound\n"), "{}", lost.text());
    // Nobody reads YAML line by line.
    door.ask("GET", &format!("{all}?watch=true"), &head[..1], b"").expect_code(406);
}
