//! `/healthz`, `/livez`, `/readyz` and `/version`: open to everybody, and silent about everything else.
//!
//! Way in: [`Readiness`].  Spec: Kubernetes documentation, "Kubernetes API health endpoints".

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;

/// What `/readyz` asks.
pub trait Readiness: Send + Sync {
    /// Each condition with whether it holds.
    fn conditions(&self) -> Vec<Condition>;
}

/// One line of `/readyz?verbose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its name: `store`.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Whether the server is of no use without it; what is not needed is only told.
    pub needed: bool,
}

pub(crate) fn answer(readiness: &dyn Readiness, verbose: bool) -> HttpResponse {
    let conditions = readiness.conditions();
    let ready = conditions.iter().all(|condition| condition.holds || !condition.needed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = String::new();
    if verbose || !ready {
        for condition in &conditions {
            let (sign, word) = if condition.holds { ('+', "ok") } else { ('-', "failed") };
            text.push_str(&format!("[{sign}]{} {word}\n", condition.name));
        }
    }
    text.push_str(if ready { "ok" } else { "readyz check failed" });
    let mut response = HttpResponse::build(status);
    if !ready {
        response.insert_header(("retry-after", "1"));
    }
    response.content_type("text/plain; charset=utf-8").body(text)
}

/// The version that is served (KUBERNETES: digits only in `minor`).
pub(crate) fn version() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "major": "1",
        "minor": "35",
        "gitVersion": concat!("v1.35.0+starling.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    }))
}
