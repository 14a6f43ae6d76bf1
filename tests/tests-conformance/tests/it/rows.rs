//! Kubernetes' conformance tests that need no containers: which of them this server passes, and what the others wait for.
//!
//! `conformance.tsv` has a line for each: what it needs, the file and the name of upstream's test (Kubernetes,
//! Apache-2.0; names only), and a verdict: `+` and our tests that show it, or `-` and what it waits for. The document is
//! written from it: `UPDATE_EXPECT=1 cargo test -p tests-conformance rows`.

use std::{fs, path::Path};

use expect_test::expect_file;

const TABLE: &str = include_str!("../../conformance.tsv");

/// How many pass: it may only rise.
const PASSED_MIN: usize = 110;

struct Row<'a> {
    needs: &'a str,
    file: &'a str,
    name: &'a str,
    verdict: Verdict<'a>,
}

enum Verdict<'a> {
    Passes(Vec<&'a str>),
    Waits(&'a str),
}

fn rows() -> Vec<Row<'static>> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [needs, file, name, verdict] = parts[..] else { panic!("four parts: {line}") };
    let verdict = match verdict.split_once(' ') {
        Some(("+", tests)) => Verdict::Passes(tests.split(", ").collect()),
        Some(("-", reason)) => Verdict::Waits(reason),
        _ => panic!("a verdict: {line}"),
    };
    Row { needs, file, name, verdict }
}

#[test]
fn every_row_that_passes_names_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut passed = 0;
    for row in rows() {
        assert!(matches!(row.needs, "API" | "CTRL"), "{}", row.name);
        let Verdict::Passes(tests) = row.verdict else { continue };
        for test in tests {
            let (module, function) = test.split_once("::").expect("module::test");
            let file = match module {
                "alone" => folder.join("alone/main.rs"),
                module => folder.join(format!("it/{module}.rs")),
            };
            let source = fs::read_to_string(file).unwrap();
            assert!(source.contains(&format!("#[test]\nfn {function}()")), "{test} is no test");
        }
        passed += 1;
    }
    assert!(passed >= PASSED_MIN, "{passed} pass");
}

#[test]
fn the_document_says_what_the_table_says() {
    let rows = rows();
    let passed = rows.iter().filter(|row| matches!(row.verdict, Verdict::Passes(_))).count();
    let mut text = format!(
        "# Conformance\n\n\
         Kubernetes' conformance tests that need an API server (API) or also controllers (CTRL), by their names, and\n\
         those of `tests/tests-conformance` that show the same of Starling: over HTTP, at three servers with a Raft\n\
         group and a mesh, each request at the next of them. The client is kube's (kube-rs), configured by a kubeconfig:\n\
         its discovery and its `Api` where a kind is used with its verbs, its watches, and its raw requests where codes,\n\
         headers or bytes are looked at; the rows about kubectl run stock kubectl. Nodes are hollow: agents in name\n\
         only, which say that what is bound to them runs. Written by its test `rows`; do not edit. The names are\n\
         upstream's (Kubernetes, Apache-2.0).\n\n\
         {passed} of {} pass.\n\n| needs | file | test | passes, or waits for |\n|---|---|---|---|\n",
        rows.len()
    );
    for row in rows {
        let verdict = match row.verdict {
            Verdict::Passes(tests) => format!("passes: `{}`", tests.join("`, `")),
            Verdict::Waits(reason) => format!("waits: {reason}"),
        };
        let name = row.name.replace('|', "\\|");
        text.push_str(&format!("| {} | {} | {name} | {verdict} |\n", row.needs, row.file));
    }
    expect_file!["../../../../docs/conformance.md"].assert_eq(&text);
}
