//! A cluster whose disk is full: it says so, serves reads, and writes again when there is room.
//!
//! The disk is a memory file system of the test's own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tests_e2e::Cluster;

/// A memory file system, unmounted at the end.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, size: &str) -> Self {
        fs::create_dir_all(at).expect("a folder");
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at);
        assert!(mount.status().expect("mount runs").success(), "mount");
        Self(at)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until there is no room.
    fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).expect("a file");
        let block = vec![0; 1 << 20];
        while file.write_all(&block).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the file is there");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0).status());
        // The cluster could not delete its folder while this was mounted there.
        drop(self.0.parent().map(fs::remove_dir_all));
    }
}

#[test]
fn a_full_disk_refuses_writes_names_itself_and_lets_reads_go_on() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::prepared();
    let data = cluster.folder.join("data");
    let disk = Disk::mount(&data, "200m");
    // From here on it goes before its disk does, however the scenario ends.
    let cluster = cluster;
    scenario(&cluster, &disk);
}

fn scenario(cluster: &Cluster, disk: &Disk<'_>) {
    cluster.starling(&["up"]);
    disk.fill();
    let object = cluster.folder.join("large.json");
    let filled = "x".repeat(400_000);
    // The log's files have some room of their own, which is used up first: some tens of MiB.
    let refused = (1..=200).find_map(|number| {
        let large = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("large-{number}")}, "data": {"x": filled}});
        fs::write(&object, large.to_string()).expect("a file on another disk");
        let ran = cluster.try_kubectl(&["create", "-f", &object.display().to_string()]);
        (ran.code != 0).then_some(ran.err)
    });
    let store = disk.0.join(&cluster.name).join("store");
    let place = store.display().to_string();
    let refused = refused.expect("a full disk took everything");
    assert!(refused.contains(&place) && refused.contains("full"), "{refused}");
    let small = cluster.try_kubectl(&["create", "configmap", "small"]);
    assert_ne!(small.code, 0, "{}", small.out);
    assert!(small.err.contains("nothing was written"), "{}", small.err);
    assert!(small.err.contains(&place), "{}", small.err);
    let names = cluster.kubectl(&["get", "configmaps", "--output", "name"]);
    assert!(names.contains("configmap/large-1\n") && !names.contains("small"), "{names}");
    let checks = cluster.kubectl(&["get", "--raw", "/readyz?verbose"]);
    assert!(
        checks.contains("[-]disk failed") && checks.contains("readyz check passed"),
        "{checks}"
    );
    assert!(cluster.starling(&["status"]).contains("disk full"));

    let events = [
        "get",
        "events",
        "--watch",
        "--request-timeout=120s",
        "--output",
        "jsonpath={.reason}{\"\\n\"}",
    ];
    // It tells of what is there already, too: whoever is first.
    let mut watch = cluster.spawn_kubectl(&events);
    disk.make_room();
    let told = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let told = told.map_while(Result::ok).find(|reason| reason == "StoreDiskFull");
    assert!(told.is_some(), "the watch ended");
    watch.kill().expect("kubectl runs");
    watch.wait().expect("kubectl ends");
    cluster.kubectl(&["create", "configmap", "after"]);
}
