//! Users by name and number, with and without entries.

use std::{fs, path::PathBuf};

use super::{UserError, resolve};
use crate::UserSpec;

fn root(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("nodes-oci-user-{name}-{}", std::process::id()));
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:34:\nlogs:x:7:web,other\n").unwrap();
    root
}

#[track_caller]
fn check(name: &str, spec: &UserSpec, expected: Result<(u32, u32, &[u32]), &str>) {
    let root = root(name);
    let found = resolve(spec, &root);
    fs::remove_dir_all(&root).unwrap();
    match (found, expected) {
        (Ok(ids), Ok((uid, gid, groups))) => {
            assert_eq!((ids.uid, ids.gid), (uid, gid));
            assert_eq!(ids.groups.into_iter().collect::<Vec<_>>(), groups);
        }
        (Err(error), Err(text)) => assert_eq!(error.to_string(), text),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

fn image(user: &str) -> UserSpec {
    UserSpec { image_user: user.to_owned(), ..UserSpec::default() }
}

#[test]
fn the_image_says_who() {
    check("empty", &image(""), Ok((0, 0, &[0])));
    check("name", &image("web"), Ok((33, 34, &[7, 34])));
    check("number", &image("33"), Ok((33, 34, &[7, 34])));
    check("stranger", &image("1000"), Ok((1000, 0, &[0])));
    check("group", &image("web:logs"), Ok((33, 7, &[7])));
    check("numbers", &image("5:6"), Ok((5, 6, &[6])));
    check("no-user", &image("ghost"), Err("the image's user \"ghost\" is not in its /etc/passwd"));
    check("no-group", &image("web:x"), Err("the image's group \"x\" is not in its /etc/group"));
}

#[test]
fn the_pod_overrides_the_image() {
    let spec = UserSpec { run_as_user: Some(33), ..image("5:6") };
    check("user", &spec, Ok((33, 34, &[7, 34])));
    let spec = UserSpec { run_as_group: Some(9), supplemental_groups: vec![2], ..image("web") };
    check("groups", &spec, Ok((33, 9, &[2, 7, 9])));
}

#[test]
fn run_as_non_root_refuses_root() {
    let spec = UserSpec { must_be_non_root: true, ..image("") };
    let root = root("non-root");
    assert!(matches!(resolve(&spec, &root), Err(UserError::Root)));
    fs::remove_dir_all(&root).unwrap();
}
