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
