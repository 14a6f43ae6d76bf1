//! `starling actors`: the supervision trees of all nodes, and ways to end, hold back and release any part of them.
//!
//! Way in: [`run`].  Spec: the routes below `/starling/actors`, guarded by RBAC as non-resource URLs.

use serde_json::Value;

use crate::{
    Arguments, Caller, Failure, Output, arguments::ActorsVerb, client::Client, table, up::known,
};

/// Most rows that `top` shows to people.
const ROWS_MAX: usize = 25;

pub(crate) fn run(
    arguments: &Arguments,
    verb: &ActorsVerb,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    let look = |route: &str, node: &Option<String>, print: fn(&Value) -> String| {
        let seen = client.get(&url(route, None, node))?;
        output.answer(&format!("{}{}", print(&seen), missing(&seen)), &seen)
    };
    let order = |verb: &str, path: &str, node: &Option<String>, (fault, done): (&str, &str)| {
        let url = format!("{}{fault}", url(verb, Some(path), node));
        let helped = |failure| help(&client, failure, (verb, path));
        let answer = client.post(&url, &Value::Null).map_err(helped)?;
        let place = format!("{}:{}", text(&answer, "node"), text(&answer, "path"));
        output.answer(&format!("{place} {done}"), &answer)
    };
    match verb {
        ActorsVerb::Tree { node } => look("", node, tree),
        ActorsVerb::Top { node } => look("/top", node, top),
        ActorsVerb::Show { path, node } => {
            let seen = client.get(&url("/show", Some(path), node));
            let seen = seen.map_err(|failure| help(&client, failure, ("/show", path)))?;
            output.answer(&show(&seen), &seen)
        }
        ActorsVerb::Kill { path, node, panic: true, .. } => {
            order("/kill", path, node, ("&fault=panic", "panics; its supervisor starts it again"))
        }
        ActorsVerb::Kill { path, node, error: true, .. } => {
            order("/kill", path, node, ("&fault=error", "fails; its supervisor starts it again"))
        }
        ActorsVerb::Kill { path, node, .. } => {
            order("/kill", path, node, ("", "is killed; its supervisor starts it again"))
        }
        ActorsVerb::Suspend { path, node } => {
            order("/suspend", path, node, ("", "handles no messages until it is resumed"))
        }
        ActorsVerb::Resume { path, node } => {
            order("/resume", path, node, ("", "handles messages again"))
        }
    }
}

/// The same failure; if nothing is at that path, with the command for what may have been meant.
fn help(client: &Client, failure: Failure, (verb, path): (&str, &str)) -> Failure {
    if failure.code != 4 {
        return failure;
    }
    let seen = client.get(&url("", None, &None)).unwrap_or_default();
    failure.next(match meant(&seen, path) {
        Some((node, path)) => {
            let verb = verb.trim_start_matches('/');
            format!("starling actors {verb} {path} --node {node}")
        }
        None => "starling actors tree -o json   (every path, with its node)".to_owned(),
    })
}

/// The actor of which this is the path on another node, or the end of the path, or the name.
fn meant<'a>(seen: &'a Value, path: &str) -> Option<(&'a str, &'a str)> {
    let asked = path.rsplit_once(':').map_or(path, |(_, path)| path);
    let places = || actors(seen, "actors").map(|actor| (text(actor, "node"), text(actor, "path")));
    let end = format!("/{asked}");
    places()
        .find(|(_, path)| *path == asked)
        .or_else(|| places().find(|(_, path)| path.ends_with(&end)))
        .or_else(|| places().find(|(_, path)| !asked.is_empty() && path.contains(asked)))
}

fn url(route: &str, path: Option<&str>, node: &Option<String>) -> String {
    let mut url = format!("/starling/actors{route}?path={}", escape(path.unwrap_or_default()));
    if let Some(node) = node {
        url.push_str(&format!("&node={}", escape(node)));
    }
    url
}

fn tree(seen: &Value) -> String {
    let header = [
        "NODE",
        "ACTOR",
        "KIND",
        "STATE",
        "RESTARTS",
        "MAILBOX",
        "DONE",
        "BUSY",
        "LAST CRASH",
        "ABOUT",
    ];
    let rows = actors(seen, "actors").map(|actor| {
        let path = text(actor, "path");
        let name = path.rsplit('/').next().unwrap_or_default();
        let name = actor["address"].as_str().unwrap_or(name);
        vec![
            text(actor, "node").to_owned(),
            format!("{}{name}", "  ".repeat(path.matches('/').count())),
            text(actor, "kind").to_owned(),
            text(actor, "state").to_owned(),
            number(actor, "restarts"),
            mailbox(actor),
            number(actor, "processed"),
            busy(actor),
            cause(actor),
            text(actor, "about").to_owned(),
        ]
    });
    table::render(&header, &rows.collect::<Vec<_>>())
}

fn top(seen: &Value) -> String {
    let header = [
        "NODE",
        "ACTOR",
        "KIND",
        "STATE",
        "CPU",
        "MESSAGES/S",
        "MAILBOX",
        "RESTARTS",
        "LAST CRASH",
    ];
    let rows = actors(seen, "actors").take(ROWS_MAX).map(|actor| {
        vec![
            text(actor, "node").to_owned(),
            text(actor, "path").to_owned(),
            text(actor, "kind").to_owned(),
            text(actor, "state").to_owned(),
            share(actor),
            number(actor, "messagesPerSecond"),
            mailbox(actor),
            number(actor, "restarts"),
            cause(actor),
        ]
    });
    table::render(&header, &rows.collect::<Vec<_>>())
}

fn show(seen: &Value) -> String {
    let actor = &seen["actor"];
    let crash = match &actor["lastCrash"] {
        Value::Null => "none".to_owned(),
        crash => format!(
            "life {} at {}: {}",
            number(crash, "life"),
            text(crash, "at"),
            text(crash, "cause")
        ),
    };
    let lines = [
        ("Actor", format!("{}:{}", text(actor, "node"), text(actor, "path"))),
        ("Address", actor["address"].as_str().unwrap_or("-").to_owned()),
        ("Kind", text(actor, "kind").to_owned()),
        ("State", text(actor, "state").to_owned()),
        ("Life", number(actor, "incarnation")),
        ("Restarts", number(actor, "restarts")),
        ("Mailbox", format!("{}, {} refused", mailbox(actor), number(actor, "refused"))),
        ("Done", number(actor, "processed")),
        ("Busy", format!("{}, {} now", busy(actor), share(actor))),
        ("Messages/s", number(actor, "messagesPerSecond")),
        ("Slow", slow(actor)),
        ("Last exit", actor["lastExit"].as_str().unwrap_or("none").to_owned()),
        ("Last crash", crash),
        ("About", actor["about"].as_str().unwrap_or("-").to_owned()),
    ];
    let mut told: String =
        lines.iter().map(|(name, value)| format!("{:12}{value}\n", format!("{name}:"))).collect();
    let letters = actors(seen, "deadLetters").map(|letter| format!("  {}\n", letter_line(letter)));
    let children = actors(seen, "children").map(|child| {
        format!(
            "  {} ({}, {} restarts)\n",
            text(child, "path").rsplit('/').next().unwrap_or_default(),
            text(child, "state"),
            number(child, "restarts"),
        )
    });
    for (title, list) in
        [("Dead letters", letters.collect::<String>()), ("Children", children.collect())]
    {
        let list = if list.is_empty() { "  none\n".to_owned() } else { list };
        told.push_str(&format!("{title}:\n{list}"));
    }
    told
}

fn letter_line(letter: &Value) -> String {
    let trace =
        letter["trace"].as_str().map_or_else(String::new, |trace| format!(", trace {trace}"));
    format!("{} {} ({}{trace})", text(letter, "at"), text(letter, "event"), text(letter, "reason"))
}

/// A line for each node that did not answer.
fn missing(seen: &Value) -> String {
    let nodes = seen["missing"].as_object().into_iter().flatten();
    nodes.map(|(node, why)| format!("{node}: {}\n", why.as_str().unwrap_or_default())).collect()
}

fn actors<'a>(seen: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    seen[field].as_array().into_iter().flatten()
}

fn text<'a>(actor: &'a Value, field: &str) -> &'a str {
    actor[field].as_str().unwrap_or_default()
}

fn number(actor: &Value, field: &str) -> String {
    actor[field].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn mailbox(actor: &Value) -> String {
    format!("{}/{}", number(actor, "mailboxDepth"), number(actor, "mailboxCapacity"))
}

/// Of one processor, over the second before.
fn share(actor: &Value) -> String {
    let permille = actor["busyPermille"].as_u64().unwrap_or_default();
    format!("{}.{} %", permille / 10, permille % 10)
}

fn cause(actor: &Value) -> String {
    actor["lastCrash"]["cause"].as_str().unwrap_or("-").to_owned()
}

/// Messages that took longer than they may.
fn slow(actor: &Value) -> String {
    match actor["slow"].as_u64().unwrap_or(0) {
        0 => "never".to_owned(),
        count => {
            let longest = actor["slowestUs"].as_u64().unwrap_or(0) / 1_000;
            format!("{count} times over 10 ms, {longest} ms at most")
        }
    }
}

fn busy(actor: &Value) -> String {
    format!("{} ms", actor["busyUs"].as_u64().unwrap_or(0) / 1_000)
}

/// Percent-encodes what a query may not contain (RFC 3986 section 3.4).
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_names_an_actor_wrongly_is_told_which_may_be_meant() {
        let seen = json!({"actors": [
            {"node": "server-1", "path": "starling/health/nodes"},
            {"node": "agent-1", "path": "starling/agent/pods"},
        ]});
        let check = |path: &str, expected| assert_eq!(meant(&seen, path), expected, "{path}");
        let pods = Some(("agent-1", "starling/agent/pods"));
        check("starling/agent/pods", pods);
        check("agent-1:starling/agent/pods", pods);
        check("pods", pods);
        check("agent/pods", pods);
        check("heal", Some(("server-1", "starling/health/nodes")));
        check("", None);
        check("none", None);
    }

    #[test]
    fn one_actor_is_told_in_full() {
        let seen = json!({
            "actor": {
                "node": "agent-1", "path": "starling/agent/pods", "kind": "slab",
                "state": "suspended", "incarnation": 2, "restarts": 1, "mailboxDepth": 3,
                "mailboxCapacity": 64, "refused": 0, "busyUs": 12_000, "processed": 7,
                "slow": 2, "slowestUs": 11_900, "busyPermille": 15, "messagesPerSecond": 40,
                "lastExit": "was killed", "about": null, "address": null,
                "lastCrash": {"at": "2026-11-21T12:00:00Z", "life": 1, "cause": "panicked: boom"},
            },
            "children": [{"path": "starling/agent/pods/a", "state": "running", "restarts": 0}],
            "deadLetters": [
                {"at": "2026-11-21T12:00:00Z", "event": "Step", "reason": "shed", "trace": "ab-cd"},
            ],
        });
        let lines = [
            "Actor:      agent-1:starling/agent/pods",
            "Address:    -",
            "Kind:       slab",
            "State:      suspended",
            "Life:       2",
            "Restarts:   1",
            "Mailbox:    3/64, 0 refused",
            "Done:       7",
            "Busy:       12 ms, 1.5 % now",
            "Messages/s: 40",
            "Slow:       2 times over 10 ms, 11 ms at most",
            "Last exit:  was killed",
            "Last crash: life 1 at 2026-11-21T12:00:00Z: panicked: boom",
            "About:      -",
            "Dead letters:",
            "  2026-11-21T12:00:00Z Step (shed, trace ab-cd)",
            "Children:",
            "  a (running, 0 restarts)",
        ];
        assert_eq!(show(&seen).lines().collect::<Vec<_>>(), lines);
    }
}
