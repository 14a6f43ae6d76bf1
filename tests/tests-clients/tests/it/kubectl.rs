//! Stock kubectl, command by command: the requests that it sends, what it prints, and how it ends.
//!
//! The transcript is `kubectl.txt` beside `charts/`: `$` is a command, `+` one that prepares and is not judged, `-` a
//! command that would go on and is ended once it has said as much as before. `UPDATE_EXPECT=1` writes it anew. Where
//! the recording of a real kubectl is at hand, the requests are held against that too.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use expect_test::expect_file;
use tests_e2e::{Cluster, IMAGE, Ran, demo_image};

use crate::text::{is_log, normal, request, words};

/// The version whose requests were recorded.
const VERSION: &str = "v1.32.";

/// The recording: what the same commands sent to a small server that lacked some endpoints.
const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/kubernetes/kubectl-trace.txt");

/// Where the recording and we differ on purpose, and why.
const DIFFERENCES: [(&str, &str); 2] = [
    ("kubectl get all -A", "the recording's server had four kinds of the category, not ten"),
    ("kubectl logs deploy/d --tail=5 -f --timestamps", "its Deployment had a pod with the name p"),
];

/// One command of the transcript.
struct Step {
    sign: char,
    command: String,
    /// How many lines it said before.
    lines: usize,
}

fn steps(transcript: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in transcript.lines() {
        match (line.split_at_checked(2), steps.last_mut()) {
            (Some((sign @ ("$ " | "+ " | "- "), command)), _) => steps.push(Step {
                sign: sign.chars().next().expect("one sign"),
                command: command.to_owned(),
                lines: 0,
            }),
            (_, Some(step)) => step.lines += 1,
            _ => {}
        }
    }
    steps
}

/// Runs one command where its files are. The requests come from the log that `-v=8` makes.
fn run(cluster: &Cluster, step: &Step) -> String {
    let mut said = words(&step.command);
    let program = PathBuf::from(said.remove(0));
    said.insert(0, "-v=8".to_owned());
    let words: Vec<&str> = said.iter().map(String::as_str).collect();
    let user = cluster.user().within(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"));
    if step.sign == '-' {
        return watched(user.spawn_with(&program, &words, Stdio::piped()), step.lines);
    }
    let ran = user.try_run(&program, &words);
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

/// The requests of each command of the recording, up to the first that a server with all endpoints would not be sent.
fn recorded(recording: &str) -> BTreeMap<String, Vec<String>> {
    let blocks = recording.split("#### ").skip(1);
    let requests = |block: &str| {
        let lines = block.lines().skip(1).filter_map(|line| line.split("  {").next());
        let lines = lines.take_while(|line| {
            !(line.contains("/openapi/v2") || line.starts_with("POST") && line.contains("/exec?"))
        });
        lines.map(normal).collect()
    };
    let command = |block: &str| block.lines().next().unwrap_or_default().trim().to_owned();
    blocks.map(|block| (command(block), requests(block))).collect()
}

/// The requests of each judged command of a transcript.
fn sent(transcript: &str) -> BTreeMap<String, Vec<String>> {
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut command = None;
    for line in transcript.lines() {
        match line.split_at_checked(2) {
            Some(("$ " | "- ", words)) => command = Some(words.to_owned()),
            Some(("+ " | "> " | "! ", _)) | None => {}
            _ if line.contains(" /") => {
                let command = command.clone().unwrap_or_default();
                sent.entry(command).or_default().push(line.to_owned());
            }
            _ => {}
        }
    }
    sent
}

fn hold_against_recording(transcript: &str) {
    let Ok(recording) = fs::read_to_string(RECORDING) else {
        return println!("the recording of a real kubectl is absent: only the transcript was held");
    };
    let (recorded, sent) = (recorded(&recording), sent(transcript));
    let mut judged = 0;
    for (command, requests) in &sent {
        let Some(wanted) = recorded.get(command) else { continue };
        if DIFFERENCES.iter().any(|(differs, _)| differs == command) {
            continue;
        }
        let ours: Vec<_> = requests.iter().take(wanted.len()).collect();
        assert_eq!(ours, wanted.iter().collect::<Vec<_>>(), "{command}");
        judged += 1;
    }
    println!("{judged} of {} recorded commands were held against", recorded.len());
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kubectl.txt");
    let before = fs::read_to_string(path).expect("the transcript");
    let mut after = String::new();
    for step in steps(&before) {
        println!("{} {}", step.sign, step.command);
        after.push_str(&format!("{} {}\n", step.sign, step.command));
        let said = run(&cluster, &step);
        let said = said.replace(&format!(" {node} "), " NODE ");
        let said = said.replace(&format!("> Node: {node}/"), "> Node: NODE/");
        if step.sign != '+' {
            after.push_str(&said);
        }
    }
    expect_file![path].assert_eq(&after);
    hold_against_recording(&after);
}
