//! How many rules each kind has: tests of what is valid, of defaults, of what never changes, of columns and of fields
//! to select by. Counts may only rise.
//!
//! A rule is a block of a script in `actors-kinds/tests/rules`, or a test beside the code of `actors-kinds`. A test
//! belongs to the kind that its path names, else to the kinds of the objects that it is written with.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use tests_tidy::{Checkout, Source};

/// The sorts of rules, in the order of the columns.
const SORTS: [&str; 5] = ["validation", "default", "immutability", "column", "selector"];
const CRATE: &str = "actors/actors-kinds/";
const DOCUMENT: &str = "docs/rules.md";
/// The row of rules that all kinds share.
const SHARED: &str = "every kind";

/// Counts by kind and sort.
type Counts = BTreeMap<String, [usize; SORTS.len()]>;

#[test]
fn no_kind_loses_a_rule() {
    let checkout = Checkout::open();
    let counts = count(&checkout);
    let committed = checkout.files(&[DOCUMENT]);
    let committed = committed.first().map(|file| read(&file.text)).unwrap_or_default();
    assert!(!committed.is_empty(), "{DOCUMENT} has no table");
    for (kind, before) in committed {
        let now = counts.get(&kind).copied().unwrap_or_default();
        for ((sort, now), before) in SORTS.iter().zip(now).zip(before) {
            assert!(now >= before, "{kind} had {before} rules of the sort {sort}, and has {now}");
        }
    }
}

#[test]
fn the_document_counts_every_rule() {
    let counts = count(&Checkout::open());
    expect_file!["../../../../docs/rules.md"].assert_eq(&table(&counts));
}

/// The document.
fn table(counts: &Counts) -> String {
    let mut text = String::from(
        "# Rules of kinds\n\n\
         Made by `UPDATE_EXPECT=1 cargo test -p tests-tidy --test it rules`. A rule is a test of `actors-kinds`: a \
         block of a script in\n`actors/actors-kinds/tests/rules`, or a test beside the code. A test holds that no \
         count falls.\n\n",
    );
    text.push_str(&format!(
        "| kind | {} | all |\n|---|{}---|\n",
        SORTS.join(" | "),
        "---|".repeat(5)
    ));
    let mut sums = [0; SORTS.len()];
    for (kind, row) in counts {
        text.push_str(&line(kind, row));
        sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
    }
    text.push_str(&line("**all**", &sums));
    text
}

fn line(kind: &str, row: &[usize]) -> String {
    let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
    format!("| {kind} | {} | {} |\n", cells.join(" | "), row.iter().sum::<usize>())
}

/// The counts that a document says, without its sums.
fn read(text: &str) -> Counts {
    let mut counts = Counts::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.contains("**")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let numbers: Vec<usize> = cells.iter().skip(1).filter_map(|it| it.parse().ok()).collect();
        if let (Some(kind), Some(Ok(row))) =
            (cells.first(), numbers.get(..5).map(TryInto::try_into))
        {
            counts.insert((*kind).to_owned(), row);
        }
    }
    counts
}

fn count(checkout: &Checkout) -> Counts {
    let kinds = Kinds::read(checkout);
    let mut counts: Counts = kinds.served.iter().map(|kind| (kind.clone(), [0; 5])).collect();
    let mut add = |kind: String, sort: &str| {
        if let Some(at) = SORTS.iter().position(|known| *known == sort) {
            counts.entry(kind).or_default()[at] += 1;
        }
    };
    for file in checkout.files(&[".txt"]).iter().filter(|file| is_in(file, "tests/rules/")) {
        let head = file.text.lines().find_map(|line| line.strip_prefix("kind "));
        let (version, kind) = head.and_then(|head| head.split_once(' ')).unwrap_or_default();
        for sort in file.text.lines().filter_map(|line| line.split_once(": ").map(|(word, _)| word))
        {
            add(named(version, kind), sort);
        }
    }
    for file in checkout.files(&[".rs"]) {
        let Some(sort) = sort_of(&file) else { continue };
        for (test, kinds) in tests_of(&file, &kinds) {
            let is_change = test.contains("check_update(") && !test.contains("check_create(");
            let sort = if is_change { "immutability" } else { sort };
            kinds.into_iter().for_each(|kind| add(kind, sort));
        }
    }
    counts
}

fn is_in(file: &Source, folder: &str) -> bool {
    file.path.strip_prefix(CRATE).is_some_and(|path| path.starts_with(folder))
}

/// What the tests of a source file test; nothing if no rules.
fn sort_of(file: &Source) -> Option<&'static str> {
    let places = [
        ("src/validate", "validation"),
        ("src/defaults", "default"),
        ("src/columns", "column"),
        ("src/fields", "selector"),
    ];
    places.into_iter().find(|(place, _)| is_in(file, place)).map(|(_, sort)| sort)
}

/// `StorageClass (storage.k8s.io)`.
fn named(version: &str, kind: &str) -> String {
    match version.split_once('/') {
        Some(("core", _)) | None => kind.to_owned(),
        Some((group, _)) => format!("{kind} ({group})"),
    }
}

/// The kinds that are served.
struct Kinds {
    served: BTreeSet<String>,
    /// By the word that a module would be called: `storage_class`.
    by_word: BTreeMap<String, String>,
}

impl Kinds {
    fn read(checkout: &Checkout) -> Self {
        let text = |name: &str| {
            let files = checkout.files(&[name]);
            files.into_iter().find(|file| is_in(file, "tables/")).map(|file| file.text)
        };
        let facts = text("tables/facts.txt").unwrap_or_default();
        let mut kinds = Self { served: BTreeSet::new(), by_word: BTreeMap::new() };
        for line in text("tables/served.txt").unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let (Some(version), Some(plural)) = (words.next(), words.next()) else { continue };
            let row = format!("resource {} {plural} ", version.replace('/', " "));
            let Some(row) = facts.lines().find_map(|line| line.strip_prefix(&row)) else {
                continue;
            };
            let kind = row.split(' ').next().unwrap_or_default();
            kinds.by_word.entry(snake(kind)).or_insert_with(|| named(version, kind));
            kinds.served.insert(named(version, kind));
        }
        assert!(kinds.served.len() > 20, "the table of served kinds cannot be read");
        kinds
    }

    /// The kind that a path names, if one does.
    fn of_path(&self, path: &str) -> Option<&String> {
        let words = path.trim_end_matches(".rs").rsplit('/');
        words.into_iter().find_map(|word| {
            self.by_word.get(word).or_else(|| self.by_word.get(word.strip_suffix('s')?))
        })
    }
}

/// `CSIDriver` as a module is called: `csi_driver`.
fn snake(kind: &str) -> String {
    let letters: Vec<char> = kind.chars().collect();
    let mut word = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_small = at > 0 && letters[at - 1].is_lowercase();
        let before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_small || before_small) {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

/// The tests of a file, each with the kinds that it belongs to.
fn tests_of(file: &Source, kinds: &Kinds) -> Vec<(String, BTreeSet<String>)> {
    let pieces = pieces(&file.text);
    let path = file.path.strip_prefix(CRATE).unwrap_or_default();
    let of_path = kinds.of_path(path);
    let tests = pieces.iter().filter(|piece| piece.is_test).map(|test| {
        let mut text = test.text.clone();
        // What a test calls in its file is written in its stead.
        for piece in pieces.iter().filter(|piece| !piece.is_test) {
            if test.text.contains(&piece.name) {
                text.push_str(&piece.text);
            }
        }
        let found = match of_path {
            Some(kind) => BTreeSet::from([kind.clone()]),
            None => kinds_in(&text, kinds),
        };
        let is_shared = found.is_empty() || path.ends_with("/metadata.rs");
        let found = if is_shared { BTreeSet::from([SHARED.to_owned()]) } else { found };
        (test.text.clone(), found)
    });
    tests.collect()
}

/// A function or constant of a file.
struct Piece {
    name: String,
    text: String,
    is_test: bool,
}

/// Functions end at a brace as far in as they began, constants at a semicolon.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut is_test = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let inner = line.trim_start();
        let indent = &line[..line.len() - inner.len()];
        is_test |= inner == "#[test]";
        let inner = inner.trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ");
        let (is_function, rest) = match (inner.strip_prefix("fn "), inner.strip_prefix("const ")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => continue,
        };
        let end = if is_function { format!("{indent}}}") } else { String::new() };
        let mut body = line.to_owned();
        let is_done = |line: &str| if is_function { line == end } else { line.ends_with(';') };
        let mut last = line;
        while !is_done(last) {
            let Some(next) = lines.next() else { break };
            body.push('\n');
            body.push_str(next);
            last = next;
        }
        let name = rest.split(['(', ':', '<']).next().unwrap_or_default().to_owned();
        pieces.push(Piece { name, text: body, is_test });
        is_test = false;
    }
    pieces
}

/// The kinds of the objects that stand in a text: `"{apiVersion: apps/v1, kind: Deployment`.
fn kinds_in(text: &str, kinds: &Kinds) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, key) in text.match_indices("apiVersion: ") {
        let before = text[..at].trim_end_matches('{').trim_end();
        let is_root = before.ends_with('"') || before.ends_with('`');
        let rest = &text[at + key.len()..];
        let (Some(version), Some((_, kind))) =
            (rest.split([',', '\n']).next(), rest.split_once("kind: "))
        else {
            continue;
        };
        let kind = kind.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let kind = named(version.trim(), kind);
        if is_root && kinds.served.contains(&kind) {
            found.insert(kind);
        }
    }
    found
}
