//! A storm of kills over five machines under load: nothing acknowledged is lost, no container is restarted, restarts
//! are counted, and all is quiet afterwards.
//!
//! `STARLING_STORM_SECONDS` says how long it lasts; 10 if nobody says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use actors_runtime::Clock;
use serde_json::Value;
use tests_e2e::{Cluster, IMAGE, Writes, demo_image, until, web};

/// From one kill to the next.
const EVERY: Duration = Duration::from_millis(100);

/// Kills from one look at the trees to the next: parts and awake keys come and go.
const LOOK_EVERY: usize = 14;

/// A storm goes on until each kind had its share, but no longer than as many times as long: while the servers look for
/// a leader, there are no controllers that could be killed.
const AT_MOST: u32 = 4;

/// What is killed, as often each.
const KINDS: [&str; 7] = ["raft", "controller", "scheduler", "node", "pod", "link", "stream"];

/// Which of [`KINDS`] an actor is of.
fn kind_of(actor: &Value) -> Option<&'static str> {
    let path = actor["path"].as_str()?;
    let below = |base: &str| path.strip_prefix(base).is_some_and(|rest| !rest.is_empty());
    let kind = match actor["kind"].as_str()? {
        "supervisor" => return None,
        "part" => "stream",
        "keyed" if below("starling/agent/pods/") => "pod",
        _ if path == "starling/agent/pods" => "pod",
        _ if below("starling/store/main/") => "raft",
        _ if below("starling/control/acting/controllers/") => "controller",
        _ if below("starling/control/acting/scheduler/") => "scheduler",
        _ if below("starling/mesh/links/") => "link",
        _ if below("starling/agent/") => "node",
        _ => return None,
    };
    Some(kind)
}

fn trees(cluster: &Cluster) -> Vec<Value> {
    let text = cluster.starling(&["actors", "tree", "-o", "json"]);
    let seen: Value = serde_json::from_str(&text).expect("JSON");
    seen["actors"].as_array().cloned().unwrap_or_default()
}

fn place(actor: &Value) -> String {
    let text = |field: &str| actor[field].as_str().unwrap_or_default().to_owned();
    format!("{}:{}", text("node"), text("path"))
}

/// How many were killed of each kind, and which actors, but for those that are never started again.
#[derive(Debug, Default)]
struct Killed {
    kinds: BTreeMap<&'static str, usize>,
    places: BTreeSet<String>,
    missed: usize,
}

impl Killed {
    /// One of the kind that was killed least, of those that are there.
    fn next(&self, actors: &[Value], number: usize) -> Option<(&'static str, String)> {
        let mut kinds = KINDS;
        kinds.sort_by_key(|kind| self.kinds.get(kind).copied().unwrap_or_default());
        kinds.into_iter().find_map(|kind| {
            let of_kind: Vec<&Value> =
                actors.iter().filter(|actor| kind_of(actor) == Some(kind)).collect();
            of_kind.get(number % of_kind.len().max(1)).map(|actor| (kind, place(actor)))
        })
    }

    /// A kind that had less than its tenth of the kills.
    fn is_wanting(&self) -> Option<&'static str> {
        let all: usize = self.kinds.values().sum();
        let of = |kind: &str| self.kinds.get(kind).copied().unwrap_or_default();
        KINDS.into_iter().find(|kind| of(kind) == 0 || of(kind) * 10 < all)
    }

    fn count(&mut self, kind: &'static str, place: String) {
        *self.kinds.entry(kind).or_default() += 1;
        if matches!(kind, "raft" | "node" | "link") {
            self.places.insert(place);
        }
    }
}

fn storm(cluster: &Cluster, lasts: Duration) -> Killed {
    // Nobody speaks: the ends of the waits are the beats.
    let (_silent, beat) = mpsc::channel::<()>();
    let (mut killed, mut actors) = (Killed::default(), Vec::new());
    let (start, mut next, mut was_missed) = (Clock.now().mono, 0, false);
    let (end, last) = (start.after(lasts), start.after(lasts * AT_MOST));
    let goes_on = |killed: &Killed| match Clock.now().mono {
        now if now < end => true,
        now => now < last && killed.is_wanting().is_some(),
    };
    while goes_on(&killed) {
        if (next % LOOK_EVERY == 0 || was_missed)
            && let Ok(seen) = serde_json::from_str::<Value>(
                &cluster.try_starling(&["actors", "tree", "-o", "json"]).out,
            )
        {
            actors = seen["actors"].as_array().cloned().unwrap_or_default();
        }
        was_missed = false;
        if let Some((kind, place)) = killed.next(&actors, next) {
            was_missed = cluster.try_starling(&["actors", "kill", &place]).code != 0;
            match was_missed {
                true => killed.missed += 1,
                false => killed.count(kind, place),
            }
        }
        next += 1;
        let due = start.after(EVERY * u32::try_from(next).expect("few kills"));
        let pause = due.since(Clock.now().mono);
        assert_eq!(beat.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
    }
    killed
}

/// Pods with the restarts of their containers.
fn pods(cluster: &Cluster) -> BTreeMap<String, i64> {
    let restarts = |pod: &Value| {
        let statuses = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        statuses.iter().filter_map(|one| one["restartCount"].as_i64()).sum()
    };
    let list = cluster.list("pod", "app=web");
    let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    list.iter().map(|pod| (uid(pod), restarts(pod))).collect()
}

#[test]
fn a_storm_of_kills_over_five_machines_loses_nothing_and_heals() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let seconds = std::env::var_os("STARLING_STORM_SECONDS")
        .map_or(10, |text| text.to_str().and_then(|text| text.parse().ok()).expect("seconds"));
    let cluster = Cluster::prepared();
    cluster.starling(&["up", "--servers", "3", "--agents", "2"]);
    assert!(cluster.starling(&["image", "import", &demo_image()]).contains(IMAGE));
    cluster.apply(&web("web", 4));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let before = pods(&cluster);

    let writes = Writes::on(&cluster);
    let killed = storm(&cluster, Duration::from_secs(seconds));
    let all: usize = killed.kinds.values().sum();
    println!("{all} kills in {seconds} s or more: {killed:?}");
    assert_eq!(killed.is_wanting(), None, "a kind had less than a tenth of the kills: {killed:?}");

    cluster.kubectl(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
    let (acknowledged, failed) = writes.end(&cluster);
    println!("{acknowledged} writes acknowledged, {failed} failed");
    assert!(acknowledged > 0, "nothing could be written");
    assert_eq!(pods(&cluster), before, "pods were replaced or their containers restarted");
    let counted: BTreeSet<String> =
        trees(&cluster).iter().filter(|one| one["restarts"] != 0).map(place).collect();
    let silent: Vec<_> = killed.places.difference(&counted).collect();
    assert!(silent.is_empty(), "restarts that nobody counted: {silent:?}");

    cluster.kubectl(&["scale", "deployment", "web", "--replicas=6"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    // What was killed again and again waits longer and longer, and then no more.
    until("all is quiet", || {
        let is_restless =
            |one: &Value| matches!(one["state"].as_str(), Some("waiting" | "parked" | "starting"));
        let all = trees(&cluster);
        let restless: Vec<String> = all.iter().filter(|one| is_restless(one)).map(place).collect();
        if !restless.is_empty() {
            println!("not quiet yet: {restless:?}");
        }
        restless.is_empty()
    });
}
