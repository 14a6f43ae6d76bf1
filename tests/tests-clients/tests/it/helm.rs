//! Helm installs, upgrades, rolls back and removes a chart.

use serde_json::Value;
use tests_e2e::{Cluster, IMAGE, demo_image};

use crate::tools::{Tools, missing};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/web");

#[test]
fn helm_installs_upgrades_rolls_back_and_removes() {
    let tools = match (Cluster::lacking(), Tools::find()) {
        (Some(lack), _) => return println!("{lack}"),
        (_, Err(lack)) => return println!("{}", missing(&lack)),
        (None, Ok(tools)) => tools,
    };
    let cluster = Cluster::up();
    assert!(cluster.starling(&["image", "import", &demo_image()]).contains(IMAGE));
    let user = cluster.user();
    let helm = |words: &[&str]| {
        let ran = user.try_run(&tools.helm, words);
        assert_eq!(ran.code, 0, "helm {words:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    let greeting = || cluster.get("configmap", "web-page")["data"]["greeting"].clone();
    let status = || {
        let text = helm(&["status", "web", "-o", "json"]);
        let status: Value = serde_json::from_str(&text).expect("JSON");
        (status["info"]["status"].clone(), status["version"].clone())
    };

    let said = helm(&["install", "web", CHART, "--wait", "--timeout", "60s"]);
    assert!(said.contains("STATUS: deployed"), "{said}");
    assert_eq!(greeting(), "hello");
    assert_eq!(cluster.list("pod", "app=web").len(), 1);

    helm(&[
        "upgrade",
        "web",
        CHART,
        "--set",
        "greeting=welcome,replicas=2",
        "--wait",
        "--timeout",
        "60s",
    ]);
    assert_eq!((greeting(), status()), ("welcome".into(), ("deployed".into(), 2.into())));
    assert_eq!(cluster.get("deployment", "web")["status"]["readyReplicas"], 2);

    helm(&["rollback", "web", "1", "--wait", "--timeout", "60s"]);
    assert_eq!((greeting(), status()), ("hello".into(), ("deployed".into(), 3.into())));
    assert_eq!(cluster.get("deployment", "web")["spec"]["replicas"], 1);

    let twice = user.try_run(&tools.helm, &["install", "web", CHART]);
    assert!(twice.code != 0 && twice.err.contains("cannot re-use a name"), "{}", twice.err);

    helm(&["uninstall", "web", "--wait", "--timeout", "60s"]);
    cluster.kubectl(&["wait", "--for=delete", "pod", "-l", "app=web", "--timeout=120s"]);
    let left = cluster.kubectl(&["get", "all,configmap,secret", "-l", "app=web", "-o", "name"]);
    assert_eq!(left, "");
}
