//! Looking into a pod that runs, and giving it other resources while it does.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use serde_json::Value;
use tests_e2e::{Cluster, IMAGE, until};

/// A pod with a web server, whose process others recognise.
fn web_pod(name: &str, container: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: {IMAGE}
      command: [sh, -c, 'echo mine > /www/index.html; exec httpd -f -p 8080 -h /www']
      readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
{container}"#
    )
}

fn ready(cluster: &Cluster, pod: &str) {
    let pod = format!("pod/{pod}");
    cluster.kubectl(&["wait", "--for=condition=Ready", &pod, "--timeout=120s"]);
}

/// The status of one ephemeral container, once it is in this state.
fn ephemeral(cluster: &Cluster, name: &str, state: &str) -> Value {
    let path = format!(
        "--for=jsonpath={{.status.ephemeralContainerStatuses[?(@.name==\"{name}\")].state.{state}}}"
    );
    cluster.kubectl(&["wait", &path, "pod/p", "--timeout=120s"]);
    let pod = cluster.get("pod", "p");
    let all = pod["status"]["ephemeralContainerStatuses"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["name"] == name).expect("it has a status")
}

/// What stands for a shell of a person.
fn in_terminal(cluster: &Cluster, typed: &str, command: &str) -> (String, Option<i32>) {
    let script = format!("printf '{typed}' | script -qec '{command}' /dev/null");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).env("KUBECONFIG", cluster.folder.join("kubeconfig"));
    let seen = shell.output().expect("a shell");
    (String::from_utf8_lossy(&seen.stdout).into_owned(), seen.status.code())
}

#[test]
fn an_ephemeral_container_looks_into_a_pod_that_runs() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web_pod("p", ""));
    ready(&cluster, "p");
    let image = format!("--image={IMAGE}");
    let debug = |name: &str, more: &[&str]| {
        let words = [&["debug", "p", &image, "--profile=general", "-c", name][..], more].concat();
        cluster.kubectl(&words);
    };

    // It sees the processes and the network of the one that it looks at.
    debug("look", &["--target=web", "--", "sh", "-c", "echo looking; exec sleep 1000"]);
    let status = ephemeral(&cluster, "look", "running");
    assert_eq!((&status["ready"], &status["restartCount"]), (&false.into(), &0.into()), "{status}");
    // It may run for a moment before it says so.
    let logs = |name: &str| cluster.kubectl(&["logs", "p", "-c", name]);
    until("what it said", || logs("look") == "looking\n");
    let within =
        |script: &str| cluster.kubectl(&["exec", "p", "-c", "look", "--", "sh", "-c", script]);
    assert!(
        within("tr '\\0' ' ' < /proc/1/cmdline").contains("httpd"),
        "process 1 is the target's"
    );
    assert_eq!(within("wget -q -O - http://127.0.0.1:8080/"), "mine\n");

    // Without a target it has processes of its own; once ended, it stays so, and nobody else notices.
    debug("once", &["--", "sh", "-c", "cat /proc/1/comm; exit 3"]);
    let status = ephemeral(&cluster, "once", "terminated");
    assert_eq!(status["state"]["terminated"]["exitCode"], 3, "{status}");
    assert_eq!(cluster.kubectl(&["logs", "p", "-c", "once"]), "sh\n");

    // As a person does it: a terminal, from the first word to the last.
    let command = format!("kubectl debug p {image} --profile=general -c shell -it -- sh");
    let (screen, code) = in_terminal(&cluster, "echo $((6*7)) on $(tty)\\nexit\\n", &command);
    assert!(screen.contains("42 on /dev/"), "{screen}");
    assert_eq!(code, Some(0), "{screen}");
    ephemeral(&cluster, "shell", "terminated");

    attach(&cluster, &debug);

    // An agent that starts anew starts none of them again.
    let server = cluster.pid("pid").expect("a server").to_string();
    let killed = Command::new("kill").args(["-9", &server]).status().expect("kill runs");
    assert!(killed.success(), "no process {server}");
    cluster.starling(&["up"]);
    ready(&cluster, "p");
    let pod = cluster.get("pod", "p");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{pod}");
    assert_eq!(ephemeral(&cluster, "once", "terminated")["restartCount"], 0);
    assert_eq!(cluster.kubectl(&["logs", "p", "-c", "once"]), "sh\n");
    assert_eq!(cluster.kubectl(&["logs", "p", "-c", "look"]), "looking\n");
    cluster.kubectl(&["delete", "pod", "p", "--timeout=120s"]);
}

/// Whoever attaches speaks with the container's own first process.
fn attach(cluster: &Cluster, debug: &dyn Fn(&str, &[&str])) {
    debug("echo", &["-i", "--attach=false", "--", "cat"]);
    ephemeral(cluster, "echo", "running");
    let mut attached = Command::new("kubectl")
        .args(["attach", "-i", "p", "-c", "echo"])
        .env("KUBECONFIG", cluster.folder.join("kubeconfig"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl can be run");
    let mut stdin = attached.stdin.take().expect("piped");
    stdin.write_all(b"there and back\n").expect("it reads");
    let mut lines = BufReader::new(attached.stdout.take().expect("piped")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "there and back");
    attached.kill().expect("it is attached");
    attached.wait().expect("it ends");
    until("what it said", || cluster.kubectl(&["logs", "p", "-c", "echo"]) == "there and back\n");
    ephemeral(cluster, "echo", "running");
}

/// What the kernel lets a container have, in version 1 of control groups or in version 2.
fn limits(cluster: &Cluster) -> String {
    let script = "cd /sys/fs/cgroup; \
        if test -e cpu.max; then cut -d ' ' -f 1 cpu.max; cat memory.max; \
        else cat cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes; fi";
    let told = cluster.kubectl(&["exec", "r", "-c", "web", "--", "sh", "-c", script]);
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn resize(cluster: &Cluster, resources: &str) {
    let patch =
        format!(r#"{{"spec":{{"containers":[{{"name":"web","resources":{resources}}}]}}}}"#);
    cluster.kubectl(&["patch", "pod", "r", "--subresource=resize", "-p", &patch]);
}

/// The status of the pod's container once this much of processors is enacted.
fn enacted(cluster: &Cluster, field: &str, amount: &str) -> Value {
    let path =
        format!("--for=jsonpath={{.status.containerStatuses[0].resources.{field}}}={amount}");
    cluster.kubectl(&["wait", &path, "pod/r", "--timeout=120s"]);
    cluster.get("pod", "r")["status"]["containerStatuses"][0].clone()
}

fn condition(cluster: &Cluster, kind: &str) -> Option<Value> {
    let pod = cluster.get("pod", "r");
    let mut all = pod["status"]["conditions"].as_array().cloned().unwrap_or_default().into_iter();
    all.find(|one| one["type"] == kind)
}

#[test]
fn resources_change_while_the_container_runs() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web_pod(
        "r",
        r#"      resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
      resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]
"#,
    ));
    ready(&cluster, "r");
    assert_eq!(limits(&cluster), "20000 67108864");
    let started = enacted(&cluster, "limits.cpu", "200m")["state"]["running"]["startedAt"].clone();

    resize(&cluster, r#"{"requests":{"cpu":"150m"},"limits":{"cpu":"300m"}}"#);
    let status = enacted(&cluster, "limits.cpu", "300m");
    assert_eq!(limits(&cluster), "30000 67108864");
    assert_eq!(status["allocatedResources"]["cpu"], "150m", "{status}");
    assert_eq!(status["restartCount"], 0, "{status}");
    assert_eq!(status["state"]["running"]["startedAt"], started, "{status}");
    until("the resize is over", || condition(&cluster, "PodResizeInProgress").is_none());

    // More than the node has: nothing changes, and the pod says so until it wants less.
    resize(&cluster, r#"{"requests":{"cpu":"900"},"limits":{"cpu":"900"}}"#);
    cluster.kubectl(&["wait", "--for=condition=PodResizePending", "pod/r", "--timeout=120s"]);
    let pending = condition(&cluster, "PodResizePending").expect("it pends");
    assert_eq!(pending["reason"], "Infeasible", "{pending}");
    assert_eq!(limits(&cluster), "30000 67108864");
    resize(&cluster, r#"{"requests":{"cpu":"100m"},"limits":{"cpu":"250m"}}"#);
    enacted(&cluster, "limits.cpu", "250m");
    until("nothing pends", || condition(&cluster, "PodResizePending").is_none());
    assert_eq!(limits(&cluster), "25000 67108864");

    // The policy for memory demands a new life.
    resize(&cluster, r#"{"limits":{"memory":"96Mi"}}"#);
    let again = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1";
    cluster.kubectl(&["wait", again, "pod/r", "--timeout=120s"]);
    ready(&cluster, "r");
    enacted(&cluster, "limits.memory", "96Mi");
    assert_eq!(limits(&cluster), "25000 100663296");
    cluster.kubectl(&["delete", "pod", "r", "--timeout=120s"]);
}
