//! Documents that name what is there, and nothing that must stay private.

use tests_tidy::Checkout;

#[test]
fn the_architecture_names_every_crate_and_none_that_is_gone() {
    let checkout = Checkout::open();
    let files = checkout.files(&["ARCHITECTURE.md"]);
    let text = files.first().map(|file| file.text.as_str()).unwrap_or_default();
    for one in &checkout.crates {
        assert!(
            text.contains(&format!("`{}`", one.name)),
            "ARCHITECTURE.md does not name {}",
            one.name
        );
    }
    let rooms = ["actors-", "mesh-", "store-", "nodes-", "chaos-", "tests-"];
    for word in text.split('`').skip(1).step_by(2) {
        let is_crate =
            rooms.iter().any(|room| word.starts_with(room)) && !word.contains(['/', ' ', ':', '.']);
        assert!(
            !is_crate || checkout.find(word).is_some(),
            "ARCHITECTURE.md names {word}, which is not there"
        );
    }
}

#[test]
fn the_way_to_a_decision_that_readers_ask_for_exists() {
    let checkout = Checkout::open();
    let files = checkout.files(&["ARCHITECTURE.md"]);
    let text = files.first().map(|file| file.text.as_str()).unwrap_or_default();
    let paths = text.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs"));
    let mut seen = 0;
    for path in paths {
        assert!(
            checkout.root.join(path).is_file(),
            "ARCHITECTURE.md names {path}, which is not there"
        );
        seen += 1;
    }
    assert!(seen > 5, "ARCHITECTURE.md names the files where things are decided");
}

#[test]
fn nothing_private_is_tracked() {
    let checkout = Checkout::open();
    // A home folder at the beginning of a path; `/proc/1/root/` is somebody else's.
    let homes = [concat!("\"/ro", "ot/"), concat!(" /ro", "ot/"), concat!("`/ro", "ot/")];
    let words =
        [concat!("/wo", "rk/main"), concat!("../sha", "red/DESIGN"), concat!("help", "er-")];
    for file in checkout.files(&[
        ".rs",
        ".md",
        ".toml",
        ".sh",
        "Makefile",
        ".yaml",
        "/run",
        "scripts/setup",
    ]) {
        for word in words.iter().chain(&homes) {
            assert!(!file.text.contains(word), "{}: {word}", file.path);
        }
    }
}

#[test]
fn every_guarantee_of_actors_names_a_test_that_exists() {
    let checkout = Checkout::open();
    let files = checkout.files(&["actors/SEMANTICS.md"]);
    let text = files.first().map(|file| file.text.as_str()).unwrap_or_default();
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| guarantee ");
    let mut seen = 0;
    for row in text.lines().filter(is_row) {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let mut named = 0;
        for reference in tests.split(", ").map(str::trim) {
            let (room, path) = reference.split_once(' ').unwrap_or_default();
            let path: Vec<&str> = path.trim_matches('`').split("::").collect();
            let Some((name, modules)) = path.split_last() else { continue };
            let stem = |last: &&&str| **last != "tests";
            let modules: Vec<&str> = modules.iter().filter(stem).copied().collect();
            let folder = format!("actors/actors-{room}/");
            let home = |path: &str| {
                let file = modules.last().copied().unwrap_or("tests");
                path.starts_with(&folder) && path.contains(file)
            };
            let body = format!("fn {name}(");
            let exists = checkout
                .files(&[".rs"])
                .iter()
                .any(|file| home(&file.path) && file.text.contains(&body));
            assert!(exists, "SEMANTICS.md: {reference} is no test");
            named += 1;
        }
        assert!(named > 0, "SEMANTICS.md: no test holds {row}");
        seen += 1;
    }
    assert!(seen > 30, "only {seen} guarantees were found");
}
