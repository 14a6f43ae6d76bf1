//! `bench startup`: from a blank data folder to the first pod that answers.
//!
//! Way in: [`measure`].  The image is imported before the clock starts: it stands in a content store.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use anyhow::{Context as _, Result, bail};

use super::{
    Row,
    cluster::{Cluster, demo_image},
    uptime,
};

/// How long the pod may take from Running to its first answer, in seconds.
const ANSWER_WITHIN: f64 = 5.0;

/// A pod that serves a page, without a probe, so that nothing but its start is measured.
const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[
{"name":"web","image":"starling.dev/demo:1","imagePullPolicy":"Never","command":
["sh","-c","echo hello >/www/index.html; exec httpd -f -p 8080 -h /www"]}]}}"#;

pub(crate) fn measure(runs: usize) -> Result<Vec<Row>> {
    let image = demo_image()?;
    let mut pod = tempfile::Builder::new().suffix(".json").tempfile()?;
    pod.write_all(POD.as_bytes())?;
    let mut seconds = Vec::new();
    for _ in 0..runs {
        seconds.push(once(&image, pod.path())?);
    }
    let size = Cluster::binary()?.metadata()?.len();
    Ok(vec![
        Row::alone(
            "blank data dir to first pod answering",
            "s",
            seconds,
            0.7,
            Some(
                "nomad agent -dev 2.2-3.3 s (measured on such a machine; no package); k3d 19.9 s (minikube's site)",
            ),
        ),
        Row::alone("release binary", "MB", vec![size as f64 / 1e6], 60.0, None),
    ])
}

fn once(image: &Path, pod: &Path) -> Result<f64> {
    let cluster = Cluster::blank()?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
    // The image is imported by a start that is not measured; all else of it is removed again.
    cluster.run(&["up", "--no-kubeconfig"])?;
    cluster.run(&["image", "import", &text(image)?])?;
    cluster.run(&["down"])?;
    cluster.forget_all_but_images()?;
    let started = uptime()?;
    cluster.run(&["up", "--no-kubeconfig"])?;
    cluster.run(&["apply", "-f", &text(pod)?])?;
    cluster.run(&["wait", "pod/web", "--for", "ready"])?;
    let pod: serde_json::Value =
        serde_json::from_str(&cluster.run(&["get", "pod/web", "-o", "json"])?)?;
    let address = pod
        .pointer("/status/podIP")
        .and_then(|ip| ip.as_str())
        .context("the pod has no address")?;
    while !is_answered(address)? {
        if uptime()? - started > ANSWER_WITHIN {
            bail!("the pod at {address}:8080 does not answer");
        }
        std::thread::yield_now();
    }
    Ok(uptime()? - started)
}

/// Whether the pod serves its page; false while its program does not listen yet.
fn is_answered(address: &str) -> Result<bool> {
    let mut stream = match TcpStream::connect((address, 8080)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(false),
        connected => connected?,
    };
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(true),
        _ => bail!("the pod at {address}:8080 answers {answer:?}"),
    }
}
