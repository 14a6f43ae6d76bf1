//! `starling actors`: the supervision tree of a running cluster, and a way to kill any part of it.
//!
//! Way in: [`run`].  Spec: `GET /starling/actors` and `POST /starling/actors/kill?path=...`, guarded by RBAC as
//! non-resource URLs.

use serde_json::Value;

use crate::{
    Arguments, Caller, Failure, Output, arguments::ActorsVerb, client::Client, table, up::known,
};

pub(crate) fn run(
    arguments: &Arguments,
    verb: &ActorsVerb,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    match verb {
        ActorsVerb::Tree => {
            let tree = client.get("/starling/actors")?;
            output.answer(&print(&tree), &tree)
        }
        ActorsVerb::Kill { path, panic } => {
            let (fault, done) = if *panic { ("&fault=panic", "panics") } else { ("", "is killed") };
            let url = format!("/starling/actors/kill?path={}{fault}", escape(path));
            let answer = client.post(&url, &Value::Null)?;
            output.answer(&format!("{path} {done}; its supervisor starts it again"), &answer)
        }
    }
}

fn print(tree: &Value) -> String {
    let header =
        ["ACTOR", "KIND", "STATE", "RESTARTS", "MAILBOX", "DONE", "BUSY", "LAST EXIT", "ABOUT"];
    let mut rows = Vec::new();
    for actor in tree["actors"].as_array().into_iter().flatten() {
        let path = actor["path"].as_str().unwrap_or_default();
        let depth = path.matches('/').count();
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = |field: &str| {
            actor[field].as_u64().map(|number| number.to_string()).unwrap_or("-".to_owned())
        };
        rows.push(vec![
            format!("{}{}", "  ".repeat(depth), actor["address"].as_str().unwrap_or(name)),
            actor["kind"].as_str().unwrap_or("-").to_owned(),
            actor["state"].as_str().unwrap_or("-").to_owned(),
            number("restarts"),
            format!("{}/{}", number("mailboxDepth"), number("mailboxCapacity")),
            number("processed"),
            format!("{} ms", actor["busyUs"].as_u64().unwrap_or(0) / 1_000),
            actor["lastExit"].as_str().unwrap_or("-").to_owned(),
            actor["about"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    table::render(&header, &rows)
}

/// Percent-encodes what a query may not contain (RFC 3986 section 3.4).
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
