//! Users by name and number, with and without entries.

use std::fs;

use tempfile::TempDir;

use super::{UserError, resolve};
use crate::UserSpec;

fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc");
    fs::create_dir(&etc).unwrap();
    fs::write(etc.join("passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n").unwrap();
    fs::write(etc.join("group"), "root:x:0:\nweb:x:34:\nlogs:x:7:web,other\n").unwrap();
    root
}

#[track_caller]
fn check(spec: &UserSpec, expected: Result<(u32, u32, &[u32]), &str>) {
    match (resolve(spec, root().path()), expected) {
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
    check(&image(""), Ok((0, 0, &[0])));
    check(&image("web"), Ok((33, 34, &[7, 34])));
    check(&image("33"), Ok((33, 34, &[7, 34])));
    check(&image("1000"), Ok((1000, 0, &[0])));
    check(&image("web:logs"), Ok((33, 7, &[7])));
    check(&image("5:6"), Ok((5, 6, &[6])));
    check(&image("ghost"), Err("the image's user \"ghost\" is not in its /etc/passwd"));
    check(&image("web:x"), Err("the image's group \"x\" is not in its /etc/group"));
}

#[test]
fn the_pod_overrides_the_image() {
    let spec = UserSpec { run_as_user: Some(33), ..image("5:6") };
    check(&spec, Ok((33, 34, &[7, 34])));
    let spec = UserSpec { run_as_group: Some(9), supplemental_groups: vec![2], ..image("web") };
    check(&spec, Ok((33, 9, &[2, 7, 9])));
}

#[test]
fn run_as_non_root_refuses_root() {
    let spec = UserSpec { must_be_non_root: true, ..image("") };
    assert!(matches!(resolve(&spec, root().path()), Err(UserError::Root)));
}
