//! Stock kubectl, command by command: the requests that it sends, what it prints, and how it ends.
//!
//! The transcript is `kubectl.txt` beside `charts/`. `$` is a command, `+` one that prepares and is not judged, `-` a
//! command that would go on and is ended once it has said as much as before, `*` one whose requests are judged, for what
//! it prints differs from run to run. `~` says why the requests of the command above it are not those of the recording
//! of a real kubectl. `UPDATE_EXPECT=1` writes the transcript anew. Where the recording is at hand, the requests are held
//! against it: all of its commands are in the transcript, and each is equal or has its reason. What kubectl shows of what
//! is gone (410) is in `tests-conformance`, whose servers can be made to forget.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use expect_test::expect_file;
use tests_e2e::{Cluster, IMAGE, Ran, User, demo_image};

use crate::text::{is_log, normal, request, words};

/// The version whose requests were recorded.
const VERSION: &str = "v1.32.";

/// The recording: what the same commands sent to a small server that lacked some endpoints.
const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/kubernetes/kubectl-trace.txt");

/// What `kubectl edit` edits with: the value of `a` gets two more letters.
const EDITOR: &str = "sed -i s/a:.c$/&zz/";

/// One command of the transcript.
struct Step {
    sign: char,
    command: String,
    /// Why its requests are not the recorded ones.
    reason: Option<String>,
    /// How many lines it said before.
    lines: usize,
}

fn steps(transcript: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in transcript.lines() {
        match (line.split_at_checked(2), steps.last_mut()) {
            (Some((sign @ ("$ " | "+ " | "- " | "* "), command)), _) => steps.push(Step {
                sign: sign.chars().next().expect("one sign"),
                command: command.to_owned(),
                reason: None,
                lines: 0,
            }),
            (Some(("~ ", reason)), Some(step)) => step.reason = Some(reason.to_owned()),
            (_, Some(step)) => step.lines += 1,
            _ => {}
        }
    }
    steps
}

/// Runs one command. The requests come from the log that `-v=8` makes.
fn run(user: &User, step: &Step) -> String {
    let mut said = words(&step.command);
    let program = PathBuf::from(said.remove(0));
    said.insert(0, "-v=8".to_owned());
    let words: Vec<&str> = said.iter().map(String::as_str).collect();
    if step.sign == '-' {
        return watched(user.spawn_with(&program, &words, Stdio::piped()), step.lines);
    }
    let mut ran = user.try_run(&program, &words);
    if step.sign == '*' {
        ran.out.clear();
    }
    rendered(&ran)
}

/// What a command said that is ended as soon as it has said so many lines.
fn watched(mut child: Child, lines: usize) -> String {
    let mut text = String::new();
    let errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut outputs = BufReader::new(child.stdout.take().expect("a pipe"));
    let requests = errors.lines().map_while(Result::ok).filter_map(|line| request(&line));
    for request in requests.take(lines) {
        text.push_str(&format!("{request}\n"));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let mut rest = String::new();
    outputs.read_to_string(&mut rest).expect("text");
    text
}

fn rendered(ran: &Ran) -> String {
    let mut text = String::new();
    for line in ran.err.lines() {
        if let Some(request) = request(line) {
            text.push_str(&format!("{request}\n"));
        }
    }
    for line in ran.out.lines() {
        text.push_str(&format!("> {}\n", normal(line)));
        if line.starts_with("Events:") {
            // They come when they come.
            break;
        }
    }
    for line in ran.err.lines().filter(|line| !is_log(line)) {
        text.push_str(&format!("! {}\n", normal(line)));
    }
    if ran.code != 0 {
        text.push_str(&format!("exit code {}\n", ran.code));
    }
    text
}

/// Whether a request is only sent to a server that lacks an endpoint: the older OpenAPI where the newer one does not do,
/// SPDY where WebSockets are refused, deletions where pods cannot be evicted.
fn is_fallback(command: &str, request: &str) -> bool {
    let streams = ["/exec?", "/attach?", "/portforward"];
    request.contains("/openapi/v2")
        || request.starts_with("POST") && streams.iter().any(|stream| request.contains(stream))
        || command.starts_with("kubectl drain") && request.starts_with("DELETE")
}

/// Kinds of the category `all` that the recording's server did not have.
const LACKED: [&str; 6] = [
    "/api/v1/replicationcontrollers?",
    "/apis/apps/v1/daemonsets?",
    "/apis/apps/v1/statefulsets?",
    "/apis/autoscaling/v2/horizontalpodautoscalers?",
    "/apis/batch/v1/cronjobs?",
    "/apis/batch/v1/jobs?",
];

/// The recording's server had one pod for everything; here the Deployment's has a name that was drawn.
const PODS: [(&str, &str, &str); 1] = [("kubectl logs deploy/d", "/pods/p/", "/pods/d-HASH-NAME/")];

/// The recorded requests as a server with all kinds is sent them, which lets a watch go on: the recording's ended each at
/// once, and some commands then list and watch again.
fn with_our_server(command: &str, mut requests: Vec<String>) -> Vec<String> {
    let is_watch = |request: &String| request.contains("watch=true");
    if let Some(first) = requests.iter().position(is_watch)
        && requests[first + 1..].contains(&requests[first])
    {
        requests.truncate(first + 1);
    }
    for (of, theirs, ours) in PODS {
        if command.starts_with(of) {
            requests.iter_mut().for_each(|request| *request = request.replace(theirs, ours));
        }
    }
    requests
}

/// The requests of each command of the recording, up to the first that a server with all endpoints would not be sent.
fn recorded(recording: &str) -> BTreeMap<String, Vec<String>> {
    let blocks = recording.split("#### ").skip(1);
    blocks
        .map(|block| {
            let command = block.lines().next().unwrap_or_default().trim();
            let lines = block.lines().skip(1).filter_map(|line| line.split("  {").next());
            let requests = lines.take_while(|line| !is_fallback(command, line)).map(normal);
            (command.to_owned(), with_our_server(command, requests.collect()))
        })
        .collect()
}

/// The requests of each judged command of a transcript.
fn sent(transcript: &str) -> BTreeMap<String, Vec<String>> {
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut command = String::new();
    for line in transcript.lines() {
        match line.split_at_checked(2) {
            Some(("$ " | "- " | "* ", words)) => {
                command = words.to_owned();
                sent.entry(command.clone()).or_default();
            }
            Some(("+ " | "> " | "! " | "~ ", _)) | None => {}
            _ if line.contains(" /") => {
                sent.entry(command.clone()).or_default().push(line.to_owned());
            }
            _ => {}
        }
    }
    sent
}

#[test]
fn kubectl_sends_what_was_recorded_of_it() {
    let transcript = include_str!("../../kubectl.txt");
    let Ok(recording) = fs::read_to_string(RECORDING) else {
        return println!("the recording of a real kubectl is absent: only the transcript was held");
    };
    let (recorded, mut sent) = (recorded(&recording), sent(transcript));
    if let Some(lists) = sent.get_mut("kubectl get all -A") {
        lists.retain(|list| LACKED.iter().all(|lacked| !list.contains(lacked)));
    }
    let steps = steps(transcript);
    let mut equal = 0;
    for (command, wanted) in &recorded {
        let Some(ours) = sent.get(command) else { panic!("{command} is not in the transcript") };
        let falls_back = ours.iter().any(|request| is_fallback(command, request));
        let is_equal = ours.get(..wanted.len()) == Some(wanted.as_slice()) && !falls_back;
        let reason = steps.iter().find(|step| step.command == *command);
        match reason.and_then(|step| step.reason.as_ref()) {
            None if is_equal => equal += 1,
            None => assert_eq!(ours, wanted, "{command}"),
            Some(reason) => assert!(!is_equal, "{command} is equal, and yet the reason: {reason}"),
        }
    }
    println!("{equal} of {} recorded commands are equal", recorded.len());
}

/// A folder with copies of the manifests: commands write beside them.
fn workplace(cluster: &Cluster) -> PathBuf {
    let place = cluster.folder.join("work");
    fs::create_dir_all(&place).expect("a folder");
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for entry in fs::read_dir(manifests).expect("manifests") {
        let file = entry.expect("a file");
        fs::copy(file.path(), place.join(file.file_name())).expect("it can be copied");
    }
    place
}

#[test]
fn kubectl_sends_and_prints_what_it_does_elsewhere() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let version = cluster.try_kubectl(&["version", "--client"]).out;
    if !version.contains(VERSION) {
        return println!("NOT RUN: the transcript is of kubectl {VERSION}, not of {version}");
    }
    cluster.starling(&["up"]);
    assert!(cluster.starling(&["image", "import", &demo_image()]).contains(IMAGE));
    // Discovery is fetched once and kept; whose commands come later have it already.
    cluster.kubectl(&["api-resources"]);
    let node = cluster.kubectl(&["get", "nodes", "-o", "name"]).trim().replace("node/", "");
    let user = cluster.user().within(workplace(&cluster)).editing(EDITOR);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kubectl.txt");
    let before = fs::read_to_string(path).expect("the transcript");
    let mut after = String::new();
    for step in steps(&before) {
        println!("{} {}", step.sign, step.command);
        after.push_str(&format!("{} {}\n", step.sign, step.command));
        if let Some(reason) = &step.reason {
            after.push_str(&format!("~ {reason}\n"));
        }
        let said = run(&user, &step);
        let said = said.replace(&format!(" {node} "), " NODE ");
        let said = said.replace(&format!("> Node: {node}/"), "> Node: NODE/");
        if step.sign != '+' {
            after.push_str(&said);
        }
    }
    expect_file![path].assert_eq(&after);
}
