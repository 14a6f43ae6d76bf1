//! Writes the script that turns one set of rules into another, as one transaction.
//!
//! Way in: [`script`].
//! Order: everything is declared before anything refers to it, and removed after nothing does.
//! Chains and maps that changed are written anew, others are not mentioned: a change costs what it
//! changes, however many Services there are. Sets that the kernel fills stay, so that clients keep
//! their endpoints.

use std::fmt::Write as _;

use crate::Ruleset;

/// The script from `before` (nothing is known of the table: it is removed first) to `after`.
#[must_use]
pub fn script(before: Option<&Ruleset>, after: &Ruleset) -> String {
    let mut text = Script::new(&after.table);
    text.line("add table ip", "");
    if before.is_none() {
        // A table of an earlier life may hold anything. Adding it first makes its removal always
        // possible.
        text.line("delete table ip", "");
        text.line("add table ip", "");
    }
    let is_new_chain =
        |name: &str| before.is_none_or(|before| before.chains.get(name) != after.chains.get(name));
    for (name, (hook, _)) in after.chains.iter().filter(|(name, _)| is_new_chain(name)) {
        let hook = if hook.is_empty() { String::new() } else { format!(" {{ {hook} }}") };
        text.line("add chain ip", &format!("{name}{hook}"));
        text.line("flush chain ip", name);
    }
    let is_known = |name: &str| before.is_some_and(|before| before.sets.contains_key(name));
    for (name, definition) in after.sets.iter().filter(|(name, _)| !is_known(name)) {
        text.line("add set ip", &format!("{name} {{ {definition} }}"));
    }
    for (name, (kind, elements)) in &after.maps {
        if before.is_some_and(|before| before.maps.get(name) == after.maps.get(name)) {
            continue;
        }
        text.line("add map ip", &format!("{name} {{ type {kind} : verdict; }}"));
        text.line("flush map ip", name);
        if !elements.is_empty() {
            let all: Vec<String> =
                elements.iter().map(|(key, verdict)| format!("{key} : {verdict}")).collect();
            text.line("add element ip", &format!("{name} {{ {} }}", all.join(", ")));
        }
    }
    for (name, (_, rules)) in after.chains.iter().filter(|(name, _)| is_new_chain(name)) {
        for rule in rules {
            text.line("add rule ip", &format!("{name} {rule}"));
        }
    }
    let Some(before) = before else { return text.text };
    for name in before.chains.keys().filter(|name| !after.chains.contains_key(*name)) {
        text.line("flush chain ip", name);
    }
    for name in before.chains.keys().filter(|name| !after.chains.contains_key(*name)) {
        text.line("delete chain ip", name);
    }
    for name in before.sets.keys().filter(|name| !after.sets.contains_key(*name)) {
        text.line("delete set ip", name);
    }
    text.text
}

struct Script<'a> {
    table: &'a str,
    text: String,
}

impl<'a> Script<'a> {
    fn new(table: &'a str) -> Self {
        Self { table, text: String::new() }
    }

    fn line(&mut self, order: &str, rest: &str) {
        let gap = if rest.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        if writeln!(self.text, "{order} {}{gap}{rest}", self.table).is_err() {
            self.text.push('\n');
        }
    }
}
