//! Which crate may need which: folders point one way, decisions are pure, a new edge shows in the diff.

use expect_test::expect_file;
use tests_tidy::Checkout;

/// Which folders a folder's crates may need besides its own (DESIGN: `mesh` and `store` never see each other).
const DIRECTION: [(&str, &[&str]); 6] = [
    ("actors", &[]),
    ("mesh", &["actors"]),
    ("store", &["actors"]),
    ("chaos", &["actors"]),
    ("nodes", &["actors", "mesh", "store", "chaos"]),
    ("tests", &["actors", "mesh", "store", "chaos", "nodes"]),
];

/// Crates of others that decide nothing by clock, chance, thread, socket or file. The list grows by review only.
const PURE: [&str; 28] = [
    "aes-gcm",
    "base64",
    "bytes",
    "cel",
    "ecow",
    "flate2",
    "hmac",
    "indexmap",
    "json-patch",
    "k8s-openapi",
    "postcard",
    "prost",
    "raft",
    "rand_chacha",
    "rand_core",
    "rpds",
    "serde",
    "serde-saphyr",
    "serde_bytes",
    "serde_json",
    "sha2",
    "slog",
    "smallvec",
    "smol_str",
    "thiserror",
    "time",
    "unicode-width",
    "xxhash-rust",
];

/// Who may name a crate that others must not see.
const FENCES: [(&str, &[&str]); 8] = [
    ("rocksdb", &["store-rocks"]),
    ("raft", &["store-raft"]),
    ("ractor", &["actors-runtime"]),
    // The scenarios have a stranger who does not care whom he speaks to: `mesh-quic` cannot be one.
    ("quinn", &["mesh-quic", "tests-e2e"]),
    ("chitchat", &["mesh-gossip"]),
    ("actix-web", &["nodes-api"]),
    ("libcontainer", &["nodes-oci", "nodes-shim"]),
    ("rtnetlink", &["nodes-machines", "nodes-network"]),
];

#[test]
fn every_crate_says_its_kind_and_lies_where_its_name_says() {
    for one in Checkout::open().crates {
        assert!(
            ["pure", "io", "app", "test"].contains(&one.kind.as_str()),
            "{}: kind {:?}",
            one.name,
            one.kind
        );
        let own_name = ["starling", "xtask", "fuzz"].contains(&one.name.as_str());
        let prefixed = one.name.starts_with(&format!("{}-", one.room()));
        assert!(prefixed || own_name, "{}: a crate is named after its folder", one.name);
        assert_eq!(one.folder, format!("{}/{}", one.room(), one.name));
        assert!(
            one.manifest.contains("[lints]\nworkspace = true") || one.name == "nodes-sys",
            "{}: lints",
            one.name
        );
        assert!(one.manifest.contains("version.workspace = true"), "{}: version", one.name);
    }
}

#[test]
fn dependencies_point_one_way() {
    let checkout = Checkout::open();
    for one in &checkout.crates {
        let allowed =
            DIRECTION.iter().find(|(room, _)| *room == one.room()).map(|(_, rooms)| *rooms);
        let allowed = allowed.unwrap_or_else(|| unreachable!("{}: an unknown folder", one.folder));
        for need in one.needs.iter().filter_map(|need| checkout.find(need)) {
            let near = need.room() == one.room();
            assert!(
                near || allowed.contains(&need.room()),
                "{} must not need {}",
                one.name,
                need.name
            );
            let impure = one.kind == "pure" && need.kind != "pure";
            assert!(
                !impure,
                "{} is pure and must not need {}, which is {}",
                one.name, need.name, need.kind
            );
            assert!(need.kind != "app", "{} must not need the app {}", one.name, need.name);
        }
    }
}

#[test]
fn pure_crates_need_only_what_is_pure() {
    let checkout = Checkout::open();
    for one in checkout.crates.iter().filter(|one| one.kind == "pure") {
        for need in one.needs.iter().filter(|need| checkout.find(need).is_none()) {
            assert!(PURE.contains(&need.as_str()), "{} is pure and must not need {need}", one.name);
        }
    }
}

#[test]
fn fenced_crates_are_named_by_their_owners_only() {
    for one in Checkout::open().crates {
        for (fenced, owners) in FENCES {
            let named = one.needs.contains(fenced) && !owners.contains(&one.name.as_str());
            assert!(!named, "{} must not need {fenced}: only {owners:?} may", one.name);
        }
    }
}

#[test]
fn every_edge_is_on_record() {
    let checkout = Checkout::open();
    let mut edges = String::new();
    let mut crates: Vec<_> = checkout.crates.iter().filter(|one| one.room() != "tests").collect();
    crates.sort_by(|a, b| a.folder.cmp(&b.folder));
    for one in crates {
        let needs: Vec<_> =
            one.needs.iter().filter(|need| checkout.find(need).is_some()).cloned().collect();
        edges.push_str(&format!("{} ({}) -> {}\n", one.name, one.kind, needs.join(" ")));
    }
    // A new edge is an architecture change: `UPDATE_EXPECT=1` records it, the diff shows it.
    expect_file!["../../edges.txt"].assert_eq(&edges);
}
