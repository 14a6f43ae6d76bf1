//! What a newcomer does with stock kubectl.

use std::io::{BufRead as _, BufReader};

use tests_e2e::{Cluster, web};

#[test]
fn a_deployment_is_applied_seen_scaled_and_deleted() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    let nodes = cluster.kubectl(&["get", "nodes", "-o", "wide"]);
    assert!(nodes.contains("INTERNAL-IP") && nodes.contains(" Ready "), "{nodes}");

    let mut watch = cluster.spawn_kubectl(&["get", "pods", "-w"]);
    cluster.apply(&web("web", 3));
    cluster.apply(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: canary-7351}\n",
    );
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let told = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let running =
        told.map_while(Result::ok).find(|line| line.contains("Running") && line.contains("1/1"));
    assert!(running.is_some(), "the watch never showed a ready pod");
    watch.kill().expect("the watch runs");
    watch.wait().expect("the watch ends");

    let pods = cluster.list("pods", "app=web");
    let pod = pods[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let described = cluster.kubectl(&["describe", "pod", &pod]);
    for word in ["Scheduled", "Started", "QoS Class", "httpd -f", "Ready"] {
        assert!(described.contains(word), "describe lacks {word}:\n{described}");
    }
    assert_eq!(cluster.kubectl(&["logs", &pod]), "started\n");
    assert_eq!(cluster.kubectl(&["exec", &pod, "--", "hostname"]).trim(), pod);
    let failed = cluster.try_kubectl(&["exec", &pod, "--", "sh", "-c", "exit 7"]);
    assert_eq!(failed.code, 7, "{}", failed.err);
    for (program, code, why) in [
        ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
        ("/etc", 126, "exec: \"/etc\": permission denied"),
    ] {
        let failed = cluster.try_kubectl(&["exec", &pod, "--", program]);
        let told = format!(
            "exec failed: unable to start container process: {why}\ncommand terminated with exit code {code}\n"
        );
        assert_eq!((failed.code, failed.err), (code, told));
    }

    let page = cluster.kubectl(&[
        "exec",
        &pod,
        "--",
        "wget",
        "-q",
        "-O",
        "-",
        &service_address(&cluster, "web"),
    ]);
    assert!(page.starts_with("pod web-"), "{page}");

    cluster.kubectl(&["scale", "deployment", "web", "--replicas=5"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    assert_eq!(cluster.list("pods", "app=web").len(), 5);
    cluster.kubectl(&["delete", "deployment", "web", "--timeout=120s"]);
    cluster.kubectl(&["wait", "--for=delete", "pod", "-l", "app=web", "--timeout=120s"]);
    assert!(cluster.list("replicasets", "app=web").is_empty());
}

#[test]
fn an_interactive_shell_reads_what_is_typed_and_a_log_is_followed() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 1));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let pods = cluster.list("pods", "app=web");
    let pod = pods[0]["metadata"]["name"].as_str().expect("a name");
    let mut follow = cluster.spawn_kubectl(&["logs", "-f", pod]);
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "started");
    // The container's own output is what its first process writes to.
    cluster.kubectl(&["exec", pod, "--", "sh", "-c", "echo second > /proc/1/fd/1"]);
    assert_eq!(lines.next().expect("a line").expect("text"), "second");
    follow.kill().expect("logs -f runs");
    follow.wait().expect("logs -f ends");
    let typed = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("printf 'echo $((6*7))\\nexit 3\\n' | kubectl exec -i {pod} -- sh"))
        .env("KUBECONFIG", cluster.folder.join("kubeconfig"))
        .output()
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&typed.stdout), "42\n");
    assert_eq!(typed.status.code(), Some(3));

    // script(1) gives kubectl a terminal, as a person has.
    let seen = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "printf 'echo $((6*7)) on $(tty)\nexit 4\n' | script -qec 'kubectl exec -it {pod} -- sh' /dev/null"
        ))
        .env("KUBECONFIG", cluster.folder.join("kubeconfig"))
        .output()
        .expect("a shell");
    let screen = String::from_utf8_lossy(&seen.stdout);
    assert!(screen.contains("42 on /dev/pts/"), "{screen}");
    assert_eq!(seen.status.code(), Some(4), "{screen}");
}

#[test]
fn secrets_are_nowhere_on_disk_in_clear() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: canary-7351-secret}\n");
    let clear = cluster.kubectl(&["get", "secret", "s", "-o", "jsonpath={.data.password}"]);
    assert_eq!(clear, "Y2FuYXJ5LTczNTEtc2VjcmV0");
    cluster.starling(&["down"]);
    for needle in ["canary-7351-secret", "Y2FuYXJ5LTczNTEtc2VjcmV0"] {
        let folder = cluster.folder.join("data");
        let found = std::process::Command::new("grep")
            .args(["-r", "-l", "-a", needle])
            .arg(&folder)
            .output();
        let found = found.expect("grep runs");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{needle} is on disk");
    }
}

fn service_address(cluster: &Cluster, name: &str) -> String {
    let service = cluster.get("service", name);
    format!("http://{}/", service["spec"]["clusterIP"].as_str().expect("an address"))
}

#[test]
fn typed_commands_and_server_side_apply_do_what_they_say() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    // kubectl sends these in protobuf.
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.kubectl(&["create", "configmap", "a", "--from-literal=x=y"]);
    cluster.kubectl(&["create", "secret", "generic", "s", "--from-literal=k=v"]);
    cluster.kubectl(&["create", "serviceaccount", "robot"]);
    assert!(!cluster.kubectl(&["create", "token", "robot"]).trim().is_empty());
    assert_eq!(cluster.kubectl(&["auth", "can-i", "create", "pods"]).trim(), "yes");
    assert_eq!(cluster.get("configmap", "a")["data"]["x"], "y");

    let file = cluster.folder.join("web.yaml");
    let path = file.to_str().expect("a path of text");
    let apply = |manifest: &str, more: &[&str]| {
        std::fs::write(&file, manifest).expect("a manifest");
        cluster.try_kubectl(&[&["apply", "--server-side", "-f", path], more].concat())
    };
    let replicas = || cluster.get("deployment", "web")["spec"]["replicas"].clone();
    assert_eq!(apply(&web("web", 1), &[]).code, 0);
    let other = ["--field-manager", "other"];
    assert_eq!(apply(&web("web", 1), &other).code, 0, "both say the same");
    let refused = apply(&web("web", 2), &other);
    assert!(refused.code != 0 && refused.err.contains(".spec.replicas"), "{}", refused.err);
    assert_eq!(replicas(), 1);
    let forced = apply(&web("web", 2), &[&other[..], &["--force-conflicts"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_eq!(replicas(), 2);
    // The first owner does not care any more, so nothing happens; the second one drops the field.
    let without = web("web", 1).replace("  replicas: 1\n", "");
    assert_eq!(apply(&without, &[]).code, 0);
    assert_eq!(replicas(), 2);
    assert_eq!(apply(&without, &other).code, 0);
    assert_eq!(replicas(), 1, "the default");
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
}
