//! `bench api`: what reads, writes and watches through the API cost, over TLS as its clients have it.
//!
//! Way in: [`measure`].  Nothing of the incumbents runs here: a read is compared with a bare handler that answers the
//! same bytes, alternately; other rows stand beside published figures. What the load itself takes is a row, too.
//! Sizes are those of the goals; `STARLING_BENCH_SMALL=1` divides them by a hundred, to see that all of it works.

mod ages;
mod bare;
mod crowd;
mod gauge;
mod hostile;
mod reads;
mod records;
mod watches;
mod wire;
mod writes;

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use self::{gauge::Gauge, wire::Dialer};
use super::{Row, cluster::Cluster, uptime};

/// Connections of a load.
const CONNECTIONS: usize = 64;

/// What can be measured alone, in a cluster of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Memory without work.
    Idle,
    /// One pod, again and again.
    Get,
    /// All of ten thousand pods.
    List,
    /// New pods, one server.
    Create,
    /// An apply that changes nothing.
    Apply,
    /// A thousand watchers.
    FanOut,
    /// Ten thousand watchers, some of whom do not read.
    Stuck,
    /// Requests that are meant to hurt.
    Hostile,
    /// Lists of hundreds of megabytes of Secrets.
    Secrets,
    /// New pods, three servers.
    #[value(name = "create-3")]
    Create3,
}

impl Part {
    /// Measures it in a new cluster, which is gone afterwards.
    fn measure(self, runs: usize) -> Result<Vec<Row>> {
        let cluster =
            if self == Self::Create3 { Cluster::up_machines(3, 0) } else { Cluster::up() };
        let bench = Bench::of(cluster?)?;
        match self {
            Self::Idle => bench.idle(),
            Self::Get => reads::objects(&bench, runs),
            Self::List => reads::lists(&bench, runs),
            Self::Create => writes::creates(&bench, runs, ("create of a 2 kB pod, 1 server", 90.0)),
            Self::Create3 => {
                writes::creates(&bench, runs, ("create of a 2 kB pod, 3 servers", 150.0))
            }
            Self::Apply => writes::applies(&bench, runs),
            Self::FanOut => watches::fan_out(&bench),
            Self::Stuck => watches::stuck(&bench),
            Self::Hostile => hostile::answers(&bench, runs),
            Self::Secrets => reads::secrets(&bench),
        }
    }
}

/// A cluster under measurement.
struct Bench {
    cluster: Cluster,
    dialer: Dialer,
    gauge: Gauge,
    /// By what sizes are divided.
    shrink: usize,
}

/// The rows of these parts, of all if none is named. A part that fails does not keep the others from being measured.
pub(crate) fn measure(runs: usize, only: &[Part]) -> Result<Vec<Row>> {
    let parts = if only.is_empty() { Part::value_variants() } else { only };
    let mut rows = Vec::new();
    for part in parts {
        let began = uptime()?;
        let measured = part.measure(runs);
        let name = part.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
        let took = uptime()? - began;
        let mut told = std::io::stderr().lock();
        match measured {
            Ok(measured) => {
                writeln!(told, "{name}: {took:.0} s")?;
                rows.extend(measured);
            }
            Err(error) => {
                writeln!(told, "{name}: failed after {took:.0} s: {error:#}")?;
                rows.push(Row::failed(name));
            }
        }
    }
    Ok(rows)
}

impl Bench {
    fn of(cluster: Cluster) -> Result<Self> {
        let small = std::env::var_os("STARLING_BENCH_SMALL").is_some();
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
