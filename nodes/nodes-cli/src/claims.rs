//! What a command has chosen for a cluster that does not run yet, so that nobody else on this machine chooses it too.
//!
//! Way in: [`Claims::take`].  Owns: abstract sockets (unix(7)), one a name: of all processes of a network namespace one
//! has a name, whichever data folder it works with, and the kernel takes it back when the command ends.

use std::{
    collections::BTreeMap,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::{Mutex, PoisonError},
};

/// What this command has chosen.
#[derive(Debug, Default)]
pub struct Claims(Mutex<BTreeMap<String, UnixListener>>);

impl Claims {
    /// Takes a name until this is dropped; false if another command has it.
    #[must_use]
    pub(crate) fn take(&self, name: &str) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(name) {
            return true;
        }
        let address = SocketAddr::from_abstract_name(format!("starling/claim/{name}"));
        let Ok(socket) = address.and_then(|address| UnixListener::bind_addr(&address)) else {
            return false;
        };
        held.insert(name.to_owned(), socket);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, Records, preflight, record::NewCluster};

    #[test]
    fn two_data_folders_choose_different_ports_and_bridges_before_anything_runs() {
        let base = tempfile::tempdir().expect("a folder");
        let create = |folder: &str, claims: &Claims| {
            let data = base.path().join(folder);
            let place = Place { run: data.join("run"), data, is_root: true };
            let mut records = Records::open(&place).expect("opened");
            let wanted = NewCluster { name: "one".to_owned(), ..NewCluster::default() };
            preflight::create(&mut records, &wanted, claims).expect("created")
        };
        let (first, second) = (Claims::default(), Claims::default());
        let (one, two) = (create("a", &first), create("b", &second));
        assert_ne!(one.api_port, two.api_port);
        assert_ne!((one.index, &one.bridge), (two.index, &two.bridge));
    }

    #[test]
    fn a_name_is_one_commands_until_it_ends() {
        let name = format!("test-{}", std::process::id());
        let (one, two) = (Claims::default(), Claims::default());
        assert!(one.take(&name) && one.take(&name), "whoever has it has it");
        assert!(!two.take(&name));
        assert!(two.take(&format!("{name}-other")));
        drop(one);
        assert!(two.take(&name));
    }
}
