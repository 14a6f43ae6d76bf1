//! Requests that are meant to hurt, and what good clients notice of slow ones.
//!
//! Way in: [`answers`].

use anyhow::{Result, bail};

use super::{Bench, wire};
use crate::bench::{Better, Row, percentile_99};

const JSON: &str = "application/json";
const MAPS: &str = "POST /api/v1/namespaces/default/configmaps";

/// Connections that say nothing.
const SLOW: usize = 5_000;

/// Reads of a good client.
const READS: usize = 2_000;

fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let labels: Vec<String> = (0..100_000).map(|number| format!("\"l{number}\":\"v\"")).collect();
    let labels = format!("{{\"metadata\":{{\"name\":\"a\",\"labels\":{{{}}}}}}}", labels.join(","));
    let large = format!(
        "{{\"metadata\":{{\"name\":\"a\"}},\"data\":{{\"k\":\"{}\"}}}}",
        "x".repeat(10 << 20)
    );
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", ")));
    }
    let post = |media: &str, body: &[u8]| wire::request(MAPS, JSON, (media, body));
    vec![
        ("lists 10,000 deep", post(JSON, "[".repeat(10_000).as_bytes())),
        ("YAML 10,000 deep", post("application/yaml", "[".repeat(10_000).as_bytes())),
        ("a YAML bomb", post("application/yaml", bomb.as_bytes())),
        ("100,000 labels", post(JSON, labels.as_bytes())),
        ("10 MiB", post(JSON, large.as_bytes())),
        ("not UTF-8", post(JSON, b"{\"metadata\":{\"name\":\"\xff\"}}")),
    ]
}

pub(super) fn answers(bench: &Bench, runs: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, request) in attacks() {
        let mut took = Vec::new();
        for _ in 0..runs {
            let answer = bench.dialer.connect()?.ask(&request)?;
            if !(400..500).contains(&answer.code) {
                bail!("{what} is answered with {}", answer.code);
            }
            took.push(answer.whole * 1e3);
        }
        rows.push(Row::tail(format!("refusal of {what}"), "ms", took, 100.0, None));
    }
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        alone.push(reads_p99(bench)?);
        let slow: Result<Vec<_>> = (0..bench.size(SLOW)).map(|_| bench.dialer.socket()).collect();
        let slow = slow?;
        beside.push(reads_p99(bench)?);
        drop(slow);
    }
    let subject = format!("GET beside {} slow connections, p99 (alone)", bench.size(SLOW));
    rows.push(Row::against(subject, "ms", (beside, &alone), (Better::Less, 2.0)));
    Ok(rows)
}

/// The p99 of a good client's reads, in milliseconds; each tenth on a new connection.
fn reads_p99(bench: &Bench) -> Result<f64> {
    let get = wire::request("GET /version", JSON, ("", b""));
    let mut link = bench.dialer.connect()?;
    let mut took = Vec::new();
    for number in 0..bench.size(READS) {
        if number % 10 == 0 {
            link = bench.dialer.connect()?;
        }
        took.push(link.done(&get)?.whole * 1e3);
    }
    Ok(percentile_99(&took))
}
