//! `/healthz`, `/livez`, `/readyz` with all their checks, and `/version`.
//!
//! Way in: [`answer`] for the whole, [`single`] for one check, [`Readiness`] for what is asked.  The wholes are open to
//! everybody, and say of no check why it failed; single checks are guarded by RBAC as non-resource URLs.
//! Spec: Kubernetes documentation, "Kubernetes API health endpoints": `?verbose` lists the checks, `?exclude=NAME`
//! leaves one out, 500 where one fails.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;

use crate::query::Query;

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

/// That an answer is given at all.
const PING: Condition = Condition { name: "ping", holds: true, needed: true };

/// Whether a path is one of the wholes; its name.
pub(crate) fn whole(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?.trim_end_matches('/');
    matches!(name, "healthz" | "livez" | "readyz").then_some(name)
}

/// The checks of one whole. Whether the process should be started anew is another question than whether it can serve:
/// a server that lost its quorum or its disk's room gains nothing by another start.
fn checks(whole: &str, readiness: &dyn Readiness) -> Vec<Condition> {
    let mut checks = vec![PING];
    if whole == "readyz" {
        checks.extend(readiness.conditions());
    }
    checks
}

/// All checks of a whole at once.
pub(crate) fn answer(whole: &str, readiness: &dyn Readiness, query: &Query) -> HttpResponse {
    let (ready, text) = summary(whole, &checks(whole, readiness), query);
    let mut response = HttpResponse::build(match ready {
        true => StatusCode::OK,
        false => StatusCode::INTERNAL_SERVER_ERROR,
    });
    if !ready {
        response.insert_header(("retry-after", "1"));
    }
    plain(response.insert_header(("x-content-type-options", "nosniff")), text)
}

/// Whether the whole holds, and what is printed.
fn summary(whole: &str, checks: &[Condition], query: &Query) -> (bool, String) {
    let mut excluded: BTreeSet<String> = query.all("exclude").into_iter().collect();
    let (mut ready, mut text) = (true, String::new());
    for check in checks {
        let line = match (excluded.remove(check.name), check.holds) {
            (true, _) => ('+', "excluded: ok"),
            (false, true) => ('+', "ok"),
            (false, false) => {
                ready &= !check.needed;
                ('-', "failed: reason withheld")
            }
        };
        text.push_str(&format!("[{}]{} {}\n", line.0, check.name, line.1));
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|name| format!("{name:?}")).collect();
        let names = names.join(", ");
        text.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {names}\n"
        ));
    }
    match (ready, query.has("verbose")) {
        (false, _) => text.push_str(&format!("{whole} check failed\n")),
        (true, true) => text.push_str(&format!("{whole} check passed\n")),
        (true, false) => "ok".clone_into(&mut text),
    }
    (ready, text)
}

/// Whether a path is below one of the wholes.
pub(crate) fn is_single(path: &str) -> bool {
    path.trim_end_matches('/').rsplit_once('/').is_some_and(|(head, _)| whole(head).is_some())
}

/// One check, `/readyz/store`; `None` if there is no such path.
pub(crate) fn single(path: &str, readiness: &dyn Readiness) -> Option<HttpResponse> {
    let (head, name) = path.trim_end_matches('/').rsplit_once('/')?;
    let checks = checks(whole(head)?, readiness);
    let check = checks.iter().find(|check| check.name == name)?;
    Some(match check.holds {
        true => plain(&mut HttpResponse::Ok(), "ok".to_owned()),
        false => {
            let text = format!("internal server error: {name} does not hold\n");
            plain(&mut HttpResponse::InternalServerError(), text)
        }
    })
}

fn plain(response: &mut actix_web::HttpResponseBuilder, text: String) -> HttpResponse {
    response.content_type("text/plain; charset=utf-8").body(text)
}

/// The version that is served (a conformance test wants digits only in `minor`).
pub(crate) fn version() -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "major": "1",
        "minor": "35",
        "emulationMajor": "1",
        "emulationMinor": "35",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "34",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": PLATFORM,
    }))
}

/// What clients read the served version of the API from.
pub(crate) const GIT_VERSION: &str = concat!("v1.35.0+starling.", env!("CARGO_PKG_VERSION"));

/// Spec: Go's names of systems and architectures.
pub(crate) const PLATFORM: &str =
    if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    struct Fixed(Vec<Condition>);

    impl Readiness for Fixed {
        fn conditions(&self) -> Vec<Condition> {
            self.0.clone()
        }
    }

    fn told(query: &str, holds: bool) -> (bool, String) {
        let store = Condition { name: "store", holds, needed: true };
        let disk = Condition { name: "disk", holds: false, needed: false };
        let checks = checks("readyz", &Fixed(vec![store, disk]));
        summary("readyz", &checks, &Query::parse(query))
    }

    #[test]
    fn a_whole_is_silent_when_it_holds_and_lists_its_checks_when_it_is_asked_or_fails() {
        assert_eq!(told("", true), (true, "ok".to_owned()));
        let (ready, text) = told("verbose&exclude=disk", true);
        assert!(ready);
        expect![[r#"
            [+]ping ok
            [+]store ok
            [+]disk excluded: ok
            readyz check passed
        "#]]
        .assert_eq(&text);
        let (ready, text) = told("exclude=nothing", false);
        assert!(!ready);
        expect![[r#"
            [+]ping ok
            [-]store failed: reason withheld
            [-]disk failed: reason withheld
            warn: some health checks cannot be excluded: no matches for "nothing"
            readyz check failed
        "#]]
        .assert_eq(&text);
        assert_eq!(told("exclude=store", false), (true, "ok".to_owned()));
    }

    #[test]
    fn a_single_check_has_a_path_of_its_own() {
        let fixed = Fixed(vec![Condition { name: "store", holds: false, needed: true }]);
        let code = |path: &str| single(path, &fixed).map(|answer| answer.status().as_u16());
        assert_eq!(code("/readyz/ping"), Some(200));
        assert_eq!(code("/readyz/store"), Some(500));
        // Only what a start can mend is asked of the living.
        assert_eq!((code("/livez/ping"), code("/livez/store")), (Some(200), None));
        assert_eq!((code("/readyz"), code("/readyz/ping/x"), code("/x/ping")), (None, None, None));
    }
}
