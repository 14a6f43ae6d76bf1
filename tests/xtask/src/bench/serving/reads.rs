//! One object again and again, and lists of many.
//!
//! Way in: [`objects`], [`lists`], [`secrets`].

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Result, bail};

use super::{
    Bench, CONNECTIONS, bare::Bare, gauge::Gauge, generator, middle, pod, wire, wire::Dialer,
    writes,
};
use crate::bench::{Better, Row, pause};

/// Seconds of one run of reads.
const WINDOW_SECS: u32 = 5;

/// Pods of a list.
const PODS: usize = 10_000;

/// Secrets of about a megabyte each: 400 MB.
const SECRETS: usize = 400;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Requests a second over many connections, for some seconds.
fn rate(dialer: &Dialer, request: &[u8]) -> Result<f64> {
    let (stop, total, failure) = (AtomicBool::new(false), Mutex::new(0_u64), Mutex::new(None));
    let work = || -> Result<u64> {
        let mut link = dialer.connect()?;
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            link.done(request)?;
            done += 1;
        }
        Ok(done)
    };
    let began = crate::bench::uptime()?;
    thread::scope(|scope| -> Result<()> {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| match work() {
                Ok(done) => *total.lock().unwrap_or_else(PoisonError::into_inner) += done,
                Err(error) => *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            });
        }
        pause(WINDOW_SECS)?;
        stop.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    let seconds = crate::bench::uptime()? - began;
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        bail!("a read failed: {error:#}");
    }
    Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner) as f64 / seconds)
}

/// GET of a pod against a handler that answers the same number of bytes.
pub(super) fn objects(bench: &Bench, runs: usize) -> Result<Vec<Row>> {
    let body = pod("bench-read");
    let create = wire::request("POST /api/v1/namespaces/default/pods", JSON, (JSON, &body));
    bench.dialer.connect()?.done(&create)?;
    let get = wire::request("GET /api/v1/namespaces/default/pods/bench-read", JSON, ("", b""));
    let size = bench.dialer.connect()?.done(&get)?.bytes;
    let bare = Bare::start(&bench.cluster.folder(), &vec![b'x'; size])?;
    let bare_dialer = bench.dialer.at_port(bare.port);
    let bare_gauge = Gauge::of(vec![bare.pid()?]);
    let (mut ours, mut theirs, mut load) = (Vec::new(), Vec::new(), Vec::new());
    let (mut each, mut their_each) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let began = bench.gauge.begin()?;
        let rated = rate(&bench.dialer, &get)?;
        let spent = bench.gauge.end(began)?;
        each.push(spent.ours * 1e6 / (rated * spent.seconds));
        load.push(spent.generator / spent.seconds);
        ours.push(rated);
        let began = bare_gauge.begin()?;
        let rated = rate(&bare_dialer, &get)?;
        let spent = bare_gauge.end(began)?;
        their_each.push(spent.ours * 1e6 / (rated * spent.seconds));
        theirs.push(rated);
    }
    let subject = format!("GET of a pod of {size} B, {CONNECTIONS} connections, TLS");
    let cost = format!("{subject}: our CPU");
    Ok(vec![
        Row::against(&subject, "1/s", (ours, &theirs), (Better::More, 0.5)),
        Row::against(cost, "us", (each, &their_each), (Better::Less, 2.0)),
        generator(&subject, load),
    ])
}

/// All pods, in both encodings: each first list is the one after a change of nothing but its encoding.
pub(super) fn lists(bench: &Bench, runs: usize) -> Result<Vec<Row>> {
    let count = bench.size(PODS);
    writes::load(bench, count, writes::create_pod)?;
    pause(5)?;
    let mut rows = Vec::new();
    for (form, media) in [("JSON", JSON), ("protobuf", PROTOBUF)] {
        let list = wire::request("GET /api/v1/namespaces/default/pods", media, ("", b""));
        let before = bench.gauge.resident_mb()?;
        bench.gauge.reset_peak()?;
        let (mut first, mut rates, mut load) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs.max(2) {
            let began = bench.gauge.begin()?;
            let answer = bench.dialer.connect()?.done(&list)?;
            let spent = bench.gauge.end(began)?;
            first.push(answer.first * 1e3);
            rates.push(answer.bytes as f64 / 1e6 / answer.whole);
            load.push(spent.generator / spent.seconds);
        }
        let cold = vec![first.remove(0)];
        let of = format!("LIST of {count} pods, {form}");
        rows.push(Row::alone(format!("{of}: first byte"), "ms", first, 10.0, None));
        rows.push(Row::alone(
            format!("{of}: first byte, nothing encoded yet"),
            "ms",
            cold,
            10.0,
            None,
        ));
        rows.push(Row::rate(format!("{of}: rate"), "MB/s", rates, 300.0));
        let grown = bench.gauge.peak_mb()? - before;
        rows.push(Row::alone(format!("{of}: RSS growth at most"), "MB", vec![grown], 20.0, None));
        rows.push(generator(&of, load));
    }
    Ok(rows)
}

/// Many lists of much at once: KEP-3157's case.
pub(super) fn secrets(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.size(SECRETS);
    let data = "eHh4".repeat(250_000);
    writes::load(bench, count, |number| {
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s{number}"}},"data":{{"k":"{data}"}}}}"#
        );
        let line = "POST /api/v1/namespaces/default/secrets";
        wire::request(line, JSON, (JSON, body.as_bytes()))
    })?;
    pause(10)?;
    let list = wire::request("GET /api/v1/namespaces/default/secrets", JSON, ("", b""));
    let before = bench.gauge.resident_mb()?;
    let began = bench.gauge.begin()?;
    bench.gauge.reset_peak()?;
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let answer = bench.dialer.connect().and_then(|mut link| link.done(&list));
                served.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
            });
        }
    });
    let spent = bench.gauge.end(began)?;
    let grown = bench.gauge.peak_mb()? - before;
    let served = served.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut sizes = Vec::new();
    for answer in served {
        sizes.push(answer?.bytes as f64 / 1e6);
    }
    let of = format!("{CONNECTIONS} lists of {:.0} MB of Secrets at once", middle(&sizes)?);
    let reference = Some("16 such informers kill an API server (KEP-3157)");
    Ok(vec![
        Row::alone(format!("{of}: RSS growth at most"), "MB", vec![grown], 200.0, reference),
        Row::alone(
            format!("{of}: all served after"),
            "s",
            vec![spent.seconds],
            f64::INFINITY,
            reference,
        ),
        generator(&of, vec![spent.generator / spent.seconds]),
    ])
}
