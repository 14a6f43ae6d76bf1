//! `bench api`: what reads, writes and watches through the API cost, over TLS as its clients have it.
//!
//! Way in: [`measure`].  Nothing of the incumbents runs here: a read is compared with a bare handler that answers the
//! same bytes, alternately; other rows stand beside published figures. What the load itself takes is a row, too.
//! Sizes are those of the goals; `STARLING_BENCH_SMALL=1` divides them by a hundred, to see that all of it works.

mod bare;
mod crowd;
mod gauge;
mod hostile;
mod reads;
mod watches;
mod wire;
mod writes;

use anyhow::{Context as _, Result};

use self::{gauge::Gauge, wire::Dialer};
use super::{Row, cluster::Cluster};

/// Connections of a load.
const CONNECTIONS: usize = 64;

/// A cluster under measurement.
struct Bench {
    cluster: Cluster,
    dialer: Dialer,
    gauge: Gauge,
    /// By what sizes are divided.
    shrink: usize,
}

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let small = std::env::var_os("STARLING_BENCH_SMALL").is_some();
    let mut rows = Vec::new();
    let bench = Bench::of(Cluster::up()?, small)?;
    rows.extend(bench.idle()?);
    rows.extend(reads::objects(&bench, runs)?);
    rows.extend(reads::lists(&bench, runs)?);
    rows.extend(writes::creates(&bench, runs, ("create of a 2 kB pod, 1 server", 90.0))?);
    rows.extend(writes::applies(&bench, runs)?);
    rows.extend(watches::fan_out(&bench)?);
    rows.extend(watches::stuck(&bench)?);
    rows.extend(hostile::answers(&bench, runs)?);
    drop(bench);
    // Secrets by the hundred megabytes: in a cluster of their own, so that they are in nobody's way.
    rows.extend(reads::secrets(&Bench::of(Cluster::up()?, small)?)?);
    let three = Bench::of(Cluster::up_machines(3, 0)?, small)?;
    rows.extend(writes::creates(&three, runs, ("create of a 2 kB pod, 3 servers", 150.0))?);
    Ok(rows)
}

impl Bench {
    fn of(cluster: Cluster, small: bool) -> Result<Self> {
        let dialer = Dialer::of(&cluster.folder(), &cluster.server()?)?;
        let gauge = Gauge::of(cluster.pids()?);
        Ok(Self { cluster, dialer, gauge, shrink: if small { 100 } else { 1 } })
    }

    /// A size of the goals, or what it is divided to.
    fn size(&self, size: usize) -> usize {
        (size / self.shrink).max(2)
    }

    fn idle(&self) -> Result<Vec<Row>> {
        super::pause(10)?;
        let memory = self.gauge.resident_mb()? * 1e6 / (1_024.0 * 1_024.0);
        let reference =
            Some("the goal is of the process with all kinds; this is the whole of one machine");
        Ok(vec![Row::alone("idle API with all kinds, RSS", "MiB", vec![memory], 60.0, reference)])
    }
}

/// How many processors the load itself took; no goal.
fn generator(of: &str, runs: Vec<f64>) -> Row {
    let reference =
        Some("the load generator's own: it shares the processors with what it measures");
    Row::alone(format!("generator's CPU: {of}"), "cores", runs, f64::INFINITY, reference)
}

/// A pod that nobody places, padded to about two kilobytes.
fn pod(name: &str) -> Vec<u8> {
    let pad = "x".repeat(1_000);
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","labels":{{"app":"bench"}},
"annotations":{{"starling.dev/pad":"{pad}"}}}},"spec":{{"schedulingGates":[{{"name":"starling.dev/bench"}}],
"containers":[{{"name":"c","image":"starling.dev/demo:1"}}]}}}}"#
    )
    .into_bytes()
}

/// The value that half of the others do not exceed.
fn middle(values: &[f64]) -> Result<f64> {
    (!values.is_empty()).then(|| super::median(values)).context("nothing was measured")
}
