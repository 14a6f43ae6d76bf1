//! Flow control: the levels and schemas that every cluster begins with.

use crate::door::Door;

/// The names of all objects of a kind of the group.
fn names(plural: &str) -> Vec<String> {
    let path = format!("/apis/flowcontrol.apiserver.k8s.io/v1/{plural}");
    let list = Door::open().get(&path).expect_code(200).json();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_mandatory_and_what_is_suggested_is_there_from_the_first_minute() {
    let levels = names("prioritylevelconfigurations");
    for documented in [
        "exempt",
        "catch-all",
        "system",
        "node-high",
        "leader-election",
        "workload-high",
        "workload-low",
        "global-default",
    ] {
        assert!(levels.iter().any(|level| level == documented), "{documented}: {levels:?}");
    }
    let schemas = names("flowschemas");
    for documented in [
        "exempt",
        "probes",
        "system-leader-election",
        "endpoint-controller",
        "workload-leader-election",
        "system-node-high",
        "system-nodes",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-system-service-accounts",
        "service-accounts",
        "global-default",
        "catch-all",
    ] {
        assert!(schemas.iter().any(|schema| schema == documented), "{documented}: {schemas:?}");
    }
    let path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/catch-all";
    let catch_all = Door::open().get(path).expect_code(200).json();
    assert_eq!(catch_all["spec"]["matchingPrecedence"], 10_000);
    assert_eq!(catch_all["spec"]["priorityLevelConfiguration"]["name"], "catch-all");
}
