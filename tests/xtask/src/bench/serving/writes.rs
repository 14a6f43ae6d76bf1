//! Creates, and applies that change nothing.
//!
//! Way in: [`creates`], [`applies`].

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Result, bail};

use super::{Bench, CONNECTIONS, generator, pod, wire};
use crate::bench::Row;

/// Creates of one run.
const CREATES: usize = 20_000;

/// Applies of one run.
const APPLIES: usize = 5_000;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Does `count` requests over many connections; any answer but success is an error. Each connection sends its next
/// request when the one before is answered.
pub(super) fn load(
    bench: &Bench,
    count: usize,
    make: impl Fn(u64) -> Vec<u8> + Sync,
) -> Result<()> {
    let left = AtomicU64::new(count as u64);
    let failure = Mutex::new(None);
    let work = || -> Result<()> {
        let mut link = bench.dialer.connect()?;
        while left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
        {
            link.done(&make(NEXT.fetch_add(1, Ordering::Relaxed)))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                if let Err(error) = work() {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => bail!("the load failed: {error:#}"),
        None => Ok(()),
    }
}

/// Creates a pod of its own.
pub(super) fn create_pod(number: u64) -> Vec<u8> {
    let body = pod(&format!("bench-{number:08}"));
    let line = "POST /api/v1/namespaces/default/pods";
    wire::request(line, "application/json", ("application/json", &body))
}

pub(super) fn creates(
    bench: &Bench,
    runs: usize,
    (subject, goal): (&str, f64),
) -> Result<Vec<Row>> {
    let (mut each, mut load_cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let count = bench.size(CREATES);
        let began = bench.gauge.begin()?;
        load(bench, count, create_pod)?;
        let spent = bench.gauge.end(began)?;
        each.push(spent.ours * 1e6 / count as f64);
        load_cpu.push(spent.generator / spent.seconds);
    }
    let subject = format!("{subject}, {CONNECTIONS} connections");
    Ok(vec![Row::alone(&subject, "us", each, goal, None), generator(&subject, load_cpu)])
}

pub(super) fn applies(bench: &Bench, runs: usize) -> Result<Vec<Row>> {
    let body = br#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"bench"},"spec":{"replicas":0,
"selector":{"matchLabels":{"app":"bench"}},"template":{"metadata":{"labels":{"app":"bench"}},"spec":{"containers":
[{"name":"c","image":"starling.dev/demo:1","ports":[{"containerPort":80}]}]}}}}"#;
    let line =
        "PATCH /apis/apps/v1/namespaces/default/deployments/bench?fieldManager=bench&force=true";
    let apply = wire::request(line, "application/json", ("application/apply-patch+yaml", body));
    bench.dialer.connect()?.done(&apply)?;
    let (mut each, mut load_cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let count = bench.size(APPLIES);
        let began = bench.gauge.begin()?;
        load(bench, count, |_| apply.clone())?;
        let spent = bench.gauge.end(began)?;
        each.push(spent.ours * 1e6 / count as f64);
        load_cpu.push(spent.generator / spent.seconds);
    }
    let subject = "server-side apply of an unchanged Deployment";
    Ok(vec![Row::alone(subject, "us", each, 100.0, None), generator(subject, load_cpu)])
}
