//! A controller as kube-rs programs write them: for each parent ConfigMap it keeps a child by server-side apply.
//!
//! It also is the user who changes the parents, for the seconds that the first argument says. Then it awaits that
//! every parent's child says what the parent says, deletes every other parent, and awaits that the collector takes
//! their children. It prints one line of JSON; whatever is missing makes it exit with 1.

#![expect(clippy::print_stdout, reason = "a program of the command line answers there")]

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use actors_core::Mono;
use actors_runtime::Clock;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{
        controller::{Action, Controller},
        watcher,
    },
};
use serde_json::json;

const PARENTS: usize = 10;
const ROLE: &str = "role";
const MANAGER: &str = "kube-controller";
/// How long a single request may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one thing may be tried again and again.
const DEADLINE: Duration = Duration::from_secs(60);
const BEAT: Duration = Duration::from_millis(20);

/// What the controller's reconciler works with.
struct Context {
    maps: Api<ConfigMap>,
}

/// Counts of requests that were answered well, and of those that were not.
#[derive(Debug, Default)]
struct Counts {
    acknowledged: usize,
    failed: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(60);
    let namespace = words.next().unwrap_or_else(|| "kube-rs".to_owned());
    let mut counts = Counts::default();
    let ran = run(&namespace, Duration::from_secs(seconds), &mut counts).await;
    let wrong = ran.err();
    let Counts { acknowledged, failed } = counts;
    println!("{}", json!({"acknowledged": acknowledged, "failed": failed, "wrong": wrong}));
    if wrong.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn run(namespace: &str, lasts: Duration, counts: &mut Counts) -> Result<(), String> {
    let client = Client::try_default().await.map_err(|error| error.to_string())?;
    let space = Namespace {
        metadata: ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    let spaces: Api<Namespace> = Api::all(client.clone());
    let made = spaces.create(&PostParams::default(), &space).await;
    made.map_err(|error| format!("create the namespace: {error}"))?;
    let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    let of_role = |role: &str| watcher::Config::default().labels(&format!("{ROLE}={role}"));
    let controller = Controller::new(maps.clone(), of_role("parent"))
        .owns(maps.clone(), of_role("child"))
        .run(
            reconcile,
            |_, _, _| Action::requeue(BEAT * 10),
            Arc::new(Context { maps: maps.clone() }),
        )
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => Err("the controller ended".to_owned()),
        done = use_them(&maps, lasts, counts) => done,
    }
}

/// The child says what its parent says, and belongs to it.
async fn reconcile(parent: Arc<ConfigMap>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let owner = parent.controller_owner_ref(&());
    let child = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": child_of(&parent.name_any()),
            "labels": {ROLE: "child"},
            "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
        },
        "data": parent.data,
    });
    let name = child_of(&parent.name_any());
    let params = PatchParams::apply(MANAGER).force();
    if parent.metadata.deletion_timestamp.is_none() {
        context.maps.patch(&name, &params, &Patch::Apply(&child)).await?;
    }
    Ok(Action::await_change())
}

fn child_of(parent: &str) -> String {
    format!("{parent}-child")
}

/// Changes the parents for as long as asked, then awaits that everything is as it should be.
async fn use_them(
    maps: &Api<ConfigMap>,
    lasts: Duration,
    counts: &mut Counts,
) -> Result<(), String> {
    let end = Clock.mono().after(lasts);
    let mut round = 0_usize;
    while round < PARENTS || Clock.mono() < end {
        let name = format!("parent-{}", round % PARENTS);
        let parent = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {ROLE: "parent"}},
            "data": {"round": round.to_string()},
        });
        persist(counts, async || {
            let params = PatchParams::apply("user");
            maps.patch(&name, &params, &Patch::Apply(&parent)).await.map(|_| true)
        })
        .await?;
        round += 1;
    }
    until_right(maps, counts, PARENTS).await?;
    for number in (0..PARENTS).step_by(2) {
        let name = format!("parent-{number}");
        persist(counts, async || match maps.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            answer => answer.map(|_| true),
        })
        .await?;
    }
    until_right(maps, counts, PARENTS / 2).await
}

/// Awaits that there are so many parents, each with a child that says the same, and nobody else's children.
async fn until_right(
    maps: &Api<ConfigMap>,
    counts: &mut Counts,
    parents: usize,
) -> Result<(), String> {
    persist(counts, async || {
        let said = async |role: &str| -> Result<BTreeMap<String, _>, kube::Error> {
            let list = maps.list(&ListParams::default().labels(&format!("{ROLE}={role}"))).await?;
            Ok(list.items.into_iter().map(|map| (map.name_any(), map.data)).collect())
        };
        let wanted: BTreeMap<String, _> = said("parent").await?;
        let count = wanted.len();
        let wanted: BTreeMap<_, _> =
            wanted.into_iter().map(|(name, data)| (child_of(&name), data)).collect();
        Ok(count == parents && said("child").await? == wanted)
    })
    .await
}

/// Tries again until it answers `true`, for a minute: a server may be lost at any time.
async fn persist(
    counts: &mut Counts,
    mut attempt: impl AsyncFnMut() -> Result<bool, kube::Error>,
) -> Result<(), String> {
    let end: Mono = Clock.mono().after(DEADLINE);
    loop {
        let last = match tokio::time::timeout(PATIENCE, attempt()).await {
            Ok(Ok(true)) => {
                counts.acknowledged += 1;
                return Ok(());
            }
            Ok(Ok(false)) => "it is not as it should be".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        counts.failed += 1;
        if Clock.mono() > end {
            return Err(last);
        }
        tokio::time::interval_at(tokio::time::Instant::now() + BEAT, BEAT).tick().await;
    }
}
