//! A watch whose server dies goes on with another one: nothing is missed, nothing comes twice.
//!
//! kubectl reads the streams as they are, over the forwarder, as any client does. What is watched are Secrets, which the
//! store holds sealed. The first watch begins with a list of its own (WatchList), each next one behind the last revision
//! that was heard.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use actors_core::Mono;
use actors_runtime::Clock;
use serde_json::Value;
use tests_e2e::{Cluster, User};

/// The object that counts.
const NAME: &str = "counter";
const WATCH: &str = "/api/v1/namespaces/default/secrets?watch=true&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dcounter&timeoutSeconds=3600";
const FIRST: &str = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
/// Numbers that must be heard between two losses: whoever watches has a server then.
const BETWEEN: usize = 5;
/// How long anything may take. Far longer than it does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a watcher heard.
#[derive(Debug, Default)]
struct Heard {
    /// Each number, in the order in which it came.
    numbers: Vec<u64>,
    /// The revisions of all events, in the same order.
    revisions: Vec<u64>,
    /// How often a stream broke off.
    broken: usize,
    /// Whether the end of the first list was told.
    listed: bool,
    /// Whether the writer's last word came.
    ended: bool,
}

fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("a number")
}

impl Heard {
    fn take(&mut self, line: &str) {
        let event: Value = serde_json::from_str(line).expect("an event");
        let metadata = &event["object"]["metadata"];
        self.revisions.push(number(&metadata["resourceVersion"]));
        let notes = &metadata["annotations"];
        match event["type"].as_str() {
            Some("BOOKMARK") => self.listed |= notes["k8s.io/initial-events-end"] == "true",
            Some("ADDED" | "MODIFIED") => {
                self.numbers.push(number(&notes["n"]));
                self.ended |= notes["last"] == "true";
            }
            _ => panic!("{line}"),
        }
    }
}

/// Watches until the writer's last word, again and again, and tells of each number that it hears.
fn watch(user: &User, tell: &mpsc::Sender<u64>) -> Heard {
    let mut heard = Heard::default();
    let end = Clock.mono().after(PATIENCE * 10);
    while !heard.ended {
        assert!(Clock.mono() < end, "the last word never came: {heard:?}");
        let from = match heard.revisions.last() {
            Some(last) => format!("&resourceVersion={last}"),
            None => FIRST.to_owned(),
        };
        let address = format!("{WATCH}{from}");
        let words = ["get", "--raw", &address];
        let mut child = user.spawn_with("kubectl".as_ref(), &words, Stdio::null());
        let mut stream = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        // What has no end was cut off with its server, and comes again.
        while stream.read_line(&mut line).is_ok() && line.ends_with('\n') {
            let before = heard.numbers.len();
            heard.take(&line);
            for number in &heard.numbers[before..] {
                // At the end nobody counts them.
                let _uncounted = tell.send(*number);
            }
            line.clear();
            if heard.ended {
                child.kill().expect("it can be killed");
                break;
            }
        }
        // One that ended by its time ended well; a server that was lost did not end it.
        let ended = child.wait().expect("it ends");
        heard.broken += usize::from(!heard.ended && !ended.success());
    }
    heard
}

/// Says a number behind the one before it, until somebody acknowledges it. What nobody answered may still be done
/// later: each request tests for the number before its own, so that an old one changes nothing.
fn say(user: &User, number: u64, is_last: bool) {
    let patch = match number {
        0 => r#"[{"op":"add","path":"/metadata/annotations","value":{"n":"0","last":"false"}}]"#
            .to_owned(),
        _ => format!(
            r#"[{{"op":"test","path":"/metadata/annotations/n","value":"{}"}},{{"op":"replace","path":"/metadata/annotations","value":{{"n":"{number}","last":"{is_last}"}}}}]"#,
            number - 1
        ),
    };
    let words = ["patch", "secret", NAME, "--type=json", "--request-timeout=20s", "-p", &patch];
    let look = [
        "get",
        "secret",
        NAME,
        "--request-timeout=20s",
        "-o",
        "jsonpath={.metadata.annotations.n}",
    ];
    let end: Mono = Clock.mono().after(PATIENCE);
    loop {
        let ran = user.try_kubectl(&words);
        if ran.code == 0 || user.try_kubectl(&look).out == number.to_string() {
            return;
        }
        assert!(Clock.mono() < end, "{number} was never acknowledged: {}", ran.err);
    }
}

/// Waits until a server that was lost is Ready, through whatever is still cut off with it.
fn await_ready(user: &User, server: &str) {
    let node = format!("node/{server}");
    let words = ["wait", &node, "--for=condition=Ready", "--timeout=30s"];
    let end = Clock.mono().after(PATIENCE);
    while Clock.mono() < end {
        if user.try_kubectl(&words).code == 0 {
            return;
        }
    }
    panic!("{server} is not Ready again: {:?}", user.try_kubectl(&words));
}

/// Ends the writer, also when the test has failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until so many numbers were heard of those that are written from now on, or nearly so.
fn await_heard(news: &mpsc::Receiver<u64>, count: usize) {
    // What has been heard already is no news.
    while news.try_recv().is_ok() {}
    for _ in 0..count {
        news.recv_timeout(PATIENCE).expect("the watcher hears of the writer");
    }
}

#[test]
fn a_watch_that_moves_to_another_server_has_no_gap() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3"]);
    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
    cluster.kubectl(&["create", "secret", "generic", NAME, "--from-literal=canary=c4n4ry"]);
    let user = cluster.user();
    say(&user, 0, false);
    let stop = AtomicBool::new(false);
    let (tell, news) = mpsc::channel();
    let (heard, last) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&user, &tell));
        let writer = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                say(&user, number, false);
            }
            say(&user, number + 1, true);
            number + 1
        });
        let ends = Stop(&stop);
        await_heard(&news, BETWEEN);
        // Whichever server the watch is with, it is lost once.
        for server in ["server-1", "server-2", "server-3"] {
            cluster.starling(&["node", "kill", server]);
            await_heard(&news, BETWEEN);
            cluster.starling(&["node", "start", server]);
            await_ready(&user, server);
            await_heard(&news, BETWEEN);
        }
        drop(ends);
        let last = writer.join().expect("the writer");
        (watcher.join().expect("the watcher"), last)
    });
    println!("{last} numbers, and {} broken streams", heard.broken);
    assert!(heard.broken > 0, "no server was lost under the watch");
    assert!(heard.listed, "the first list ended");
    let first = heard.numbers.first().copied().expect("a number");
    let wanted: Vec<u64> = (first..=last).collect();
    assert_eq!(heard.numbers, wanted, "each number once, in order");
    let mut sorted = heard.revisions.clone();
    sorted.sort_unstable();
    assert_eq!(heard.revisions, sorted, "revisions only rise");
}
