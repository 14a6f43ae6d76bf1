//! Many watchers of one busy collection, and some that do not read.
//!
//! Way in: [`fan_out`], [`stuck`].

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use nix::poll::PollTimeout;

use super::{
    Bench,
    ages::Ages,
    crowd::{self, Crowd},
    gauge::Spent,
    generator, wire,
};
use crate::bench::{Row, pause, uptime};

/// Changes a second, of all writers together.
const CHANGES: f64 = 200.0;

/// Connections that change an object each, so that one that waits for the disk does not hold the rate back.
const WRITERS: usize = 8;

/// Seconds of changes.
const WINDOW_SECS: u32 = 15;

const JSON: &str = "application/json";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Changes one object so often, about 512 bytes at a time, until told to stop; how many were made.
fn change(bench: &Bench, (name, rate): (&str, f64), stop: &AtomicBool) -> Result<u64> {
    let mut link = bench.dialer.connect()?;
    let began = uptime()?;
    let mut made = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = began + made as f64 / rate;
        let early = due - uptime()?;
        if early > 0.0 {
            // Finer than a pause, and not busy.
            let millis = PollTimeout::try_from((early * 1e3).ceil() as i32)?;
            nix::poll::poll(&mut [], millis)?;
            continue;
        }
        let body = crowd::change()?;
        let line = format!("PATCH {MAPS}/{name}");
        let media = ("application/merge-patch+json", body.as_bytes());
        link.done(&wire::request(&line, JSON, media))?;
        made += 1;
    }
    Ok(made)
}

/// What a crowd of this size sees, and what that costs.
struct Seen {
    ages: Ages,
    spent: Spent,
    made: u64,
    closed: usize,
}

fn watch(bench: &Bench, count: usize) -> Result<Seen> {
    let names: Vec<String> = (0..WRITERS).map(|number| format!("beat-{number}")).collect();
    for name in &names {
        let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        let create = wire::request(&format!("POST {MAPS}"), JSON, (JSON, body.as_bytes()));
        bench.dialer.connect()?.done(&create)?;
    }
    let mut crowd = Crowd::open(&bench.dialer, count, &request(bench)?)?;
    let (stop, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let began = bench.gauge.begin()?;
    let (made, ages) = thread::scope(|scope| {
        let (each, told) = (CHANGES / WRITERS as f64, &stop);
        let change = |name| scope.spawn(move || change(bench, (name, each), told));
        let changing: Vec<_> = names.iter().map(String::as_str).map(change).collect();
        let reading = scope.spawn(|| crowd.run(&ended));
        let paused = pause(WINDOW_SECS);
        stop.store(true, Ordering::Relaxed);
        let made: Result<Vec<u64>> = changing.into_iter().map(joined).collect();
        let paused = paused.and_then(|()| pause(2));
        // Whatever failed: the crowd is not waited for in vain.
        ended.store(true, Ordering::Relaxed);
        let ages = joined(reading);
        paused.and(made).and_then(|made| Ok((made.iter().sum(), ages?)))
    })?;
    let spent = bench.gauge.end(began)?;
    Ok(Seen { ages, spent, made, closed: crowd.closed() })
}

/// A watch of what changes from now on.
fn request(bench: &Bench) -> Result<Vec<u8>> {
    let list = bench.cluster.api()?.get(MAPS)?;
    let revision =
        list["metadata"]["resourceVersion"].as_str().context("a list says where it is")?;
    let line = format!("GET {MAPS}?watch=1&resourceVersion={revision}");
    Ok(wire::request(&line, JSON, ("", b"")))
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))?
}

impl Seen {
    /// What was measured of how many.
    fn of(&self, count: usize) -> String {
        format!("{count} watchers, {:.0} changes/s", self.made as f64 / f64::from(WINDOW_SECS))
    }

    /// What a delivery costs, what did not arrive, and what the load took.
    fn costs(&self, of: &str, readers: usize) -> Vec<Row> {
        let each = self.spent.ours * 1e6 / self.ages.count() as f64;
        let missed = (self.made * readers as u64) as f64 - self.ages.count() as f64;
        let reference = Some("etcd 3.5: 6.3 us");
        vec![
            Row::alone(format!("{of}: CPU of a delivery"), "us", vec![each], 3.0, reference),
            Row::alone(format!("{of}: changes not seen"), "", vec![missed], 0.0, None),
            generator(of, vec![self.spent.generator / f64::from(WINDOW_SECS)]),
        ]
    }
}

pub(super) fn fan_out(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.size(1_000);
    let seen = watch(bench, count)?;
    let of = seen.of(count);
    let busy = seen.spent.ours / f64::from(WINDOW_SECS);
    let late = seen.ages.percentile_99();
    let mut rows = vec![
        Row::alone(format!("{of}: our CPU"), "cores", vec![busy], 0.6, None),
        Row::alone(format!("{of}: p99 of delivery"), "ms", vec![late], 100.0, None),
    ];
    rows.extend(seen.costs(&of, count));
    Ok(rows)
}

/// Of ten thousand watchers every tenth reads nothing.
pub(super) fn stuck(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.size(10_000);
    let before = bench.gauge.resident_mb()?;
    let silent = Crowd::open(&bench.dialer, count / 10, &request(bench)?)?;
    let readers = count - count / 10;
    let seen = watch(bench, readers)?;
    let grown = (bench.gauge.resident_mb()? - before) * 1e3 / count as f64;
    drop(silent);
    let of = format!("{}, a tenth stuck", seen.of(count));
    let (oldest, closed) = (seen.ages.oldest(), seen.closed as f64);
    let mut rows = vec![
        Row::alone(format!("{of}: RSS growth a watcher"), "kB", vec![grown], 200.0, None),
        Row::alone(
            format!("{of}: the slowest delivery to the others"),
            "ms",
            vec![oldest],
            1_000.0,
            None,
        ),
        Row::alone(format!("{of}: others that were cut off"), "", vec![closed], 0.0, None),
    ];
    rows.extend(seen.costs(&of, readers));
    Ok(rows)
}
