//! What a source file may not be: too long, undocumented, impure, waiting, or unfinished.

use std::collections::BTreeMap;

use tests_tidy::{Checkout, Source};

/// Most lines of a Rust file.
const LINES_MAX: usize = 500;

/// Words that must not stand in any Rust file, with the reason.
const BANNED: [(&str, &str); 11] = [
    (concat!("#[", "ignore"), "a test that does not run proves nothing"),
    (concat!("#[", "allow("), "write #[expect(lint, reason = \"...\")]"),
    (concat!("#![", "allow("), "write #![expect(lint, reason = \"...\")]"),
    (concat!("todo", "!("), "main has no unfinished parts"),
    (concat!("unimpl", "emented!("), "main has no unfinished parts"),
    (concat!("FIX", "ME"), "mend it, or write an issue"),
    (concat!("TO", "DO"), "mend it, or write an issue"),
    (concat!("X", "XX"), "mend it, or write an issue"),
    (concat!("thread::", "sleep("), "wait for a condition"),
    (concat!("unbounded_", "channel"), "every queue has a bound"),
    (
        concat!("std::process::", "exit("),
        "only the binary's main ends the process, by its return value",
    ),
];

/// Module names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "manager", "misc"];

/// How often a lint of the purity bans may be lifted, by crate. The numbers may only fall; a new crate is reviewed.
const LIFTED: [(&str, usize); 3] = [("store-service", 2), ("tests-e2e", 2), ("tests-sim", 1)];

fn rust() -> Vec<Source> {
    let files = Checkout::open().files(&[".rs"]);
    assert!(files.len() > 10, "the checkout seems empty");
    files
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = rust()
        .iter()
        .map(|file| (file.text.lines().count(), file.path.clone()))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines, split them: {long:?}");
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    for file in rust() {
        let first = file.text.lines().next().unwrap_or_default();
        let line = if first.starts_with("#!/") {
            file.text.lines().nth(1).unwrap_or_default()
        } else {
            first
        };
        assert!(line.starts_with("//! "), "{}: line 1 is a `//!` sentence", file.path);
    }
}

#[test]
fn no_file_has_a_banned_word() {
    for file in rust() {
        for (number, line) in file.text.lines().enumerate() {
            for (word, reason) in BANNED {
                assert!(!line.contains(word), "{}:{}: {word}: {reason}", file.path, number + 1);
            }
        }
    }
}

#[test]
fn module_names_say_something() {
    for file in rust() {
        let stem = file
            .path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".rs"))
            .unwrap_or_default();
        assert!(!EMPTY_NAMES.contains(&stem), "{}: name it after what it holds", file.path);
    }
}

#[test]
fn pure_crates_never_lift_a_purity_ban() {
    let checkout = Checkout::open();
    let mut lifted: BTreeMap<String, usize> = BTreeMap::new();
    for file in checkout.files(&[".rs"]) {
        let count = file.text.matches(concat!("clippy::", "disallowed_")).count();
        let owner =
            checkout.crates.iter().find(|one| file.path.starts_with(&format!("{}/", one.folder)));
        let Some(owner) = owner.filter(|_| count > 0) else { continue };
        assert!(
            owner.kind != "pure",
            "{}: {} is pure and may not lift a ban",
            file.path,
            owner.name
        );
        *lifted.entry(owner.name.clone()).or_default() += count;
    }
    for (owner, count) in lifted {
        let limit = LIFTED.iter().find(|(name, _)| *name == owner).map_or(0, |(_, limit)| *limit);
        assert!(count <= limit, "{owner} lifts {count} bans; at most {limit}");
    }
}

#[test]
fn only_one_crate_is_unsafe() {
    for file in rust() {
        let lifts = file.text.contains(concat!("unsafe_", "code"));
        let uses =
            file.text.lines().any(|line| line.trim_start().starts_with(concat!("unsafe", " {")));
        let home = file.path.starts_with("nodes/nodes-sys/");
        assert!(home || !(lifts || uses), "{}: unsafe code belongs in nodes-sys", file.path);
    }
}
