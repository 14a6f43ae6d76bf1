//! Writes down the pods that this node was told to run, so that an agent that starts without any
//! server keeps up what runs.
//!
//! Way in: [`keep`], [`recall`], [`forget`].  Owns: a file for each pod, in memory: what a loss of
//! power takes with it ran no longer anyway, and must be asked for again.
//! Never: truth; a server's word replaces it.

use std::{fs, io, path::PathBuf};

use actors_object::{Object, Value, json, value};

use crate::{Paths, pods::cleanup::read_names};

/// Writes the pod down, as a server of this cluster gave it.
pub(crate) fn keep(paths: &Paths, cluster: &str, pod: &Object) -> io::Result<()> {
    let memory = value!({ "cluster": cluster, "pod": pod.0.clone() });
    let (folder, file) = (paths.memories(), file(paths, pod.uid()));
    let new = folder.join(format!(".{}", pod.uid()));
    fs::create_dir_all(folder)?;
    fs::write(&new, json::to_vec(&memory))?;
    fs::rename(new, file)
}

/// All pods that were written down for this cluster; a file that cannot be read is none.
pub(crate) fn recall(paths: &Paths, cluster: &str) -> Vec<Object> {
    let read = |uid: String| {
        let memory = json::from_slice(&fs::read(file(paths, &uid)).ok()?).ok()?;
        let is_own = memory.at("cluster").as_str() == Some(cluster);
        let pod: &Value = memory.at("pod");
        let pod = Object(pod.clone());
        (is_own && pod.uid() == uid).then_some(pod)
    };
    read_names(&paths.memories()).into_iter().filter_map(read).collect()
}

/// Forgets a pod.
pub(crate) fn forget(paths: &Paths, uid: &str) -> io::Result<()> {
    match fs::remove_file(file(paths, uid)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn file(paths: &Paths, uid: &str) -> PathBuf {
    paths.memories().join(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_recalled_by_their_own_cluster_until_they_are_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = crate::agent::tests::config(folder.path(), None).paths();
        let pod = |uid: &str| Object(value!({ "metadata": { "name": "web", "uid": uid } }));
        keep(&paths, "one", &pod("u1")).expect("kept");
        keep(&paths, "one", &pod("u1")).expect("kept again");
        keep(&paths, "two", &pod("u2")).expect("kept");
        fs::write(paths.memories().join("u3"), "torn").expect("written");
        assert_eq!(recall(&paths, "one"), [pod("u1")]);
        forget(&paths, "u1").expect("forgotten");
        forget(&paths, "u1").expect("forgotten twice");
        assert_eq!(recall(&paths, "one"), []);
    }
}
