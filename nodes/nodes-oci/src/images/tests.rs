//! References; importing, naming, removing and collecting images; and archives that mean harm.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{Digest, ImageBuilder, ImageConfig, ImageStore, ImportError, Reference, unpack};

/// A directory of its own for each test, removed at the end.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn sample(name: &str, content: &[u8]) -> ImageBuilder {
    let config = ImageConfig {
        entrypoint: vec!["/bin/hello".to_owned()],
        cmd: vec!["world".to_owned()],
        env: vec!["A=1".to_owned()],
        ..ImageConfig::default()
    };
    ImageBuilder::new(reference(name), config)
        .file("bin/hello", content, 0o755)
        .link("bin/hi", "hello")
        .directory("tmp", 0o1777)
}

#[test]
fn references_are_completed_as_users_expect() {
    let check = |text: &str, full: &str| assert_eq!(reference(text).to_string(), full);
    check("busybox", "docker.io/library/busybox:latest");
    check("busybox:1.36", "docker.io/library/busybox:1.36");
    check("me/app", "docker.io/me/app:latest");
    check("docker.io/busybox", "docker.io/library/busybox:latest");
    check("index.docker.io/me/app:v1", "docker.io/me/app:v1");
    check("localhost/app", "localhost/app:latest");
    check("localhost:5000/app", "localhost:5000/app:latest");
    check("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10");
    let digest = Digest::of(b"x");
    check(&format!("app@{digest}"), &format!("docker.io/library/app@{digest}"));
    check(&format!("app:v1@{digest}"), &format!("docker.io/library/app:v1@{digest}"));
    for wrong in ["", "App", "a b", "app:", "app:-x", "app@sha256:12", "-app", "a..b", "a/", "/a"] {
        assert!(Reference::parse(wrong).is_err(), "{wrong:?} is no reference");
    }
}

#[test]
fn command_and_args_override_the_image() {
    let config = ImageConfig {
        entrypoint: vec!["e".to_owned()],
        cmd: vec!["c".to_owned()],
        ..ImageConfig::default()
    };
    let line = |command: &[&str], args: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        config.command_line(&owned(command), &owned(args)).join(" ")
    };
    assert_eq!(line(&[], &[]), "e c");
    assert_eq!(line(&[], &["a"]), "e a");
    assert_eq!(line(&["k"], &[]), "k");
    assert_eq!(line(&["k"], &["a"]), "k a");
}

#[test]
fn an_image_is_imported_resolved_removed_and_collected() {
    let scratch = Scratch::new();
    let archive = scratch.path("image.tar");
    sample("demo:1", b"one").write(&archive).unwrap();
    let store = ImageStore::open(&scratch.path("images")).unwrap();
    let imported = store.import(&archive, None).unwrap();
    assert_eq!(imported.len(), 1);
    assert_eq!(imported, store.list().unwrap());
    let image = store.resolve("demo:1").unwrap();
    assert_eq!(image.references, ["docker.io/library/demo:1"]);
    assert_eq!(image.config.command_line(&[], &[]), ["/bin/hello", "world"]);
    assert_eq!(store.resolve(&format!("demo@{}", image.digest)).unwrap(), image);
    assert_eq!(store.resolve(image.id.as_str()).unwrap(), image);
    let missing = store.resolve("demo:2").unwrap_err().to_string();
    assert_eq!(
        missing,
        "image docker.io/library/demo:2 is not present; present: docker.io/library/demo:1"
    );
    if is_root() {
        let layer = image.layers.first().unwrap();
        assert_eq!(fs::read(layer.join("bin/hi")).unwrap(), b"one");
        assert_eq!(fs::metadata(layer.join("tmp")).unwrap().mode() & 0o7777, 0o1777);
    }
    store.import(&archive, Some(&reference("other"))).unwrap();
    assert_eq!(store.remove("demo:1").unwrap(), ["docker.io/library/demo:1"]);
    assert_eq!(store.collect_garbage(&BTreeSet::new()).unwrap().blobs, 0, "still named");
    store.remove(image.id.as_str()).unwrap();
    let used: BTreeSet<PathBuf> = image.layers.iter().cloned().collect();
    let collected = store.collect_garbage(&used).unwrap();
    assert_eq!((collected.blobs, collected.layers), (3, 0), "a container uses the layer");
    store.collect_garbage(&BTreeSet::new()).unwrap();
    assert!(image.layers.iter().all(|layer| !layer.exists()));
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn a_directory_and_a_gzip_archive_import_like_the_archive() {
    let scratch = Scratch::new();
    let archive = scratch.path("image.tar");
    sample("demo", b"one").write(&archive).unwrap();
    let store = ImageStore::open(&scratch.path("images")).unwrap();
    let first = store.import(&archive, None).unwrap();
    let layout = scratch.path("layout");
    tar::Archive::new(File::open(&archive).unwrap()).unpack(&layout).unwrap();
    fs::remove_file(layout.join("manifest.json")).unwrap();
    assert_eq!(store.import(&layout, None).unwrap(), first);
    let packed = scratch.path("image.tar.gz");
    let mut writer =
        flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut File::open(&archive).unwrap(), &mut writer).unwrap();
    writer.finish().unwrap();
    assert_eq!(store.import(&packed, None).unwrap(), first);
}

#[test]
fn a_changed_blob_is_refused() {
    let scratch = Scratch::new();
    let archive = scratch.path("image.tar");
    sample("demo", b"one").write(&archive).unwrap();
    let layout = scratch.path("layout");
    tar::Archive::new(File::open(&archive).unwrap()).unpack(&layout).unwrap();
    fs::remove_file(layout.join("manifest.json")).unwrap();
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path());
    let layer = blobs.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    bytes.push(0);
    fs::write(&layer, bytes).unwrap();
    let store = ImageStore::open(&scratch.path("images")).unwrap();
    let error = store.import(&layout, None).unwrap_err();
    assert!(matches!(error, ImportError::Mismatch { .. }), "{error}");
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn what_is_no_image_says_so() {
    let scratch = Scratch::new();
    let store = ImageStore::open(&scratch.path("images")).unwrap();
    let empty = scratch.path("empty");
    fs::create_dir_all(&empty).unwrap();
    assert!(matches!(store.import(&empty, None), Err(ImportError::Unknown(_))));
    let text = scratch.path("text");
    fs::write(&text, "no archive at all, however long it may be ".repeat(50)).unwrap();
    assert!(store.import(&text, None).is_err());
    assert!(store.import(&scratch.path("absent"), None).is_err());
}

/// Writes a layer with these entries: name, kind, link target or content.
fn layer(path: &Path, entries: &[(&str, tar::EntryType, &str)]) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    for (name, kind, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        // Written by hand: the builder refuses names with `..`.
        let field = &mut header.as_old_mut().name;
        field.get_mut(..name.len()).unwrap().copy_from_slice(name.as_bytes());
        let is_link = matches!(kind, tar::EntryType::Link | tar::EntryType::Symlink);
        if is_link {
            let field = &mut header.as_old_mut().linkname;
            field.get_mut(..text.len()).unwrap().copy_from_slice(text.as_bytes());
        }
        let content = if is_link { "" } else { text };
        header.set_size(content.len().try_into().unwrap());
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.finish().unwrap();
}

#[test]
fn nothing_is_written_outside_a_layer() {
    use tar::EntryType::{Link, Regular, Symlink};
    if !is_root() {
        eprintln!("not root: layers are not unpacked");
        return;
    }
    let scratch = Scratch::new();
    let outside = scratch.path("outside");
    let up = format!("out{}", outside.display());
    let attacks: [&[(&str, tar::EntryType, &str)]; 5] = [
        &[("../outside/a", Regular, "x")],
        &[("out", Symlink, "/"), (&up, Regular, "x")],
        &[("out", Symlink, "../outside"), ("out/a", Regular, "x")],
        &[("passwd", Link, "/etc/passwd")],
        &[("l", Symlink, "/etc"), ("passwd", Link, "l/passwd")],
    ];
    for (number, entries) in attacks.into_iter().enumerate() {
        fs::create_dir_all(&outside).unwrap();
        let archive = scratch.path(&format!("attack-{number}.tar"));
        layer(&archive, entries);
        let refused = unpack::unpack(&archive, &scratch.path("layer")).is_err();
        // The second and third attack land inside instead, because links are resolved inside.
        let is_empty = fs::read_dir(&outside).unwrap().next().is_none();
        assert!(is_empty, "attack {number} reached the outside");
        assert!(refused || number == 1, "attack {number} was not refused");
    }
}

#[test]
fn whiteouts_become_what_overlayfs_reads() {
    use tar::EntryType::{Directory, Link, Regular};
    if !is_root() {
        eprintln!("not root: layers are not unpacked");
        return;
    }
    let scratch = Scratch::new();
    let archive = scratch.path("layer.tar");
    let entries = [
        ("etc", Directory, ""),
        ("etc/.wh.gone", Regular, ""),
        ("etc/kept", Regular, "text"),
        ("etc/.wh.kept", Regular, ""),
        ("etc/same", Link, "etc/kept"),
        ("data", Directory, ""),
        ("data/.wh..wh..opq", Regular, ""),
        ("deep/without/parents", Regular, "x"),
    ];
    layer(&archive, &entries);
    let target = scratch.path("layer");
    unpack::unpack(&archive, &target).unwrap();
    let gone = fs::symlink_metadata(target.join("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(fs::read(target.join("etc/same")).unwrap(), b"text");
    assert_eq!(fs::metadata(target.join("etc/same")).unwrap().nlink(), 2);
    assert!(!target.join("data/.wh..wh..opq").exists());
    assert!(target.join("deep/without/parents").exists());
    assert_eq!(fs::metadata(target.join("etc")).unwrap().mtime(), 1);
}
