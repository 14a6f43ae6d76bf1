//! The book of peers: who was known, where, kept on disk, so that a cluster whose every process was
//! killed finds itself again.
//!
//! Way in: [`Book`], [`child`].  Owns: the file of peers; whom the mesh keeps links to.
//! Invariants: 1. at most [`MembershipMachine::KNOWN_MAX`] peers.  2. the file is replaced as a
//! whole: what is read is what was written at some time.
//! Time and order: a peer that is dead for long stays in the book, for it may wait to be called;
//! one that has left does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_core::Wall;
use actors_runtime::{Child, Failure, Service};
use mesh_member::{MemberInfo, MemberState, MemberView, MembershipMachine};
use mesh_quic::PeerAddress;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use crate::shared::{Shared, lock};

/// Who is known besides this process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// This process's own life: the next one must be later.
    pub(crate) started: Wall,
    /// What peers said of themselves last, by node.
    pub(crate) peers: BTreeMap<String, MemberInfo>,
    /// Peers that have left: seeds of these names are not called.
    #[serde(default)]
    pub(crate) left: BTreeSet<String>,
}

/// Why a book cannot be read. The process begins with its seeds alone, and says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    /// The disk's.
    #[error("the file of peers {0} cannot be read")]
    Io(PathBuf, #[source] io::Error),
    /// It holds something else.
    #[error("the file of peers {0} is damaged")]
    Form(PathBuf, #[source] serde_json::Error),
}

impl Book {
    /// What the file holds; an empty book if there is none.
    pub(crate) fn read(path: &Path) -> Result<Self, BookError> {
        match std::fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| BookError::Form(path.into(), error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(BookError::Io(path.into(), error)),
        }
    }

    /// Takes over what a view says. Room is a hint that changes often, and not kept.
    fn take(&mut self, view: &[MemberView], me: &str) {
        for member in view {
            let node = &member.info.node;
            if node == me {
                self.started = self.started.max(member.info.started);
            } else if member.state == MemberState::Left {
                self.peers.remove(node);
                self.left.insert(node.clone());
            } else {
                self.left.remove(node);
                let info =
                    MemberInfo { free: <_>::default(), revision: 0, ..(*member.info).clone() };
                self.peers.insert(node.clone(), info);
            }
        }
        let seen = |node: &String| view.iter().any(|member| member.info.node == *node);
        while self.peers.len() >= MembershipMachine::KNOWN_MAX {
            let unseen = self.peers.iter().filter(|(node, _)| !seen(node));
            let oldest = unseen.min_by_key(|(_, info)| info.started).map(|(node, _)| node.clone());
            let Some(oldest) = oldest else { break };
            self.peers.remove(&oldest);
        }
        while self.left.len() > MembershipMachine::KNOWN_MAX {
            self.left.pop_first();
        }
    }

    /// Whom to keep links to.
    fn addresses(&self, seeds: &BTreeMap<String, PeerAddress>) -> BTreeMap<String, PeerAddress> {
        let mut addresses = seeds.clone();
        addresses.retain(|node, _| !self.left.contains(node));
        for (node, info) in &self.peers {
            match info.mesh_address.parse::<SocketAddr>() {
                Ok(address) => {
                    addresses.insert(node.clone(), PeerAddress { role: info.role, address });
                }
                Err(_) => tracing::debug!(node, address = info.mesh_address, "no mesh address"),
            }
        }
        addresses
    }
}

/// Keeps the book, and the mesh's peers with it.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut view = shared.view.subscribe();
    let path = lock(&shared.peers_file).clone();
    let me = shared.mesh.me().node.clone();
    let mut called = None;
    let mut written = None;
    loop {
        let seen = Arc::clone(&view.borrow_and_update());
        let book = {
            let mut book = lock(&shared.book);
            book.take(&seen, &me);
            book.clone()
        };
        let addresses = book.addresses(&shared.seeds);
        if called.as_ref() != Some(&addresses) {
            shared.mesh.set_peers(addresses.clone());
            called = Some(addresses);
        }
        if let Some(path) = path.as_ref().filter(|_| written.as_ref() != Some(&book)) {
            match write(path, &book).await {
                Ok(()) => written = Some(book),
                // The cluster works without it, and the next change tries again.
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "peers were not written");
                }
            }
        }
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = view.changed() => changed?,
        }
    }
}

async fn write(path: &Path, book: &Book) -> io::Result<()> {
    let text = serde_json::to_vec(book)?;
    let beside = path.with_extension("new");
    let mut file = tokio::fs::File::create(&beside).await?;
    file.write_all(&text).await?;
    file.sync_all().await?;
    tokio::fs::rename(&beside, path).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_member::LinkStanding;
    use mesh_quic::Role;

    use super::*;

    fn view(node: &str, state: MemberState) -> MemberView {
        let mut info = MemberInfo::new(node, Role::Agent, Wall(7));
        info.mesh_address = "192.0.2.7:7443".into();
        MemberView {
            info: info.into(),
            state,
            heard: None,
            heard_ago: Duration::ZERO,
            rejoined: 0,
            damped: None,
            links: LinkStanding::None,
        }
    }

    #[test]
    fn those_who_left_are_not_called_and_the_dead_are() {
        let mut book = Book::default();
        let dead = MemberState::Dead { since: Wall(9), evidence: Vec::new() };
        book.take(
            &[view("a", MemberState::Left), view("b", dead), view("me", MemberState::Alive)],
            "me",
        );
        book.take(&[], "me");
        let seed = PeerAddress { role: Role::Server, address: ([192, 0, 2, 1], 1).into() };
        let seeds = BTreeMap::from([("a".to_owned(), seed), ("s".to_owned(), seed)]);
        let called: Vec<String> = book.addresses(&seeds).into_keys().collect();
        assert_eq!(called, ["b", "s"]);
        assert_eq!(book.started, Wall(7));
    }

    #[test]
    fn a_book_has_a_bound() {
        let mut book = Book::default();
        for number in 0..300 {
            book.take(&[view(&format!("n{number:03}"), MemberState::Alive)], "me");
        }
        assert!(book.peers.len() < MembershipMachine::KNOWN_MAX);
        assert!(book.peers.contains_key("n299"));
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.json");
        assert_eq!(Book::read(&path).unwrap(), Book::default());
        let mut book = Book::default();
        book.take(&[view("a", MemberState::Alive)], "me");
        write(&path, &book).await.unwrap();
        assert_eq!(Book::read(&path).unwrap(), book);
        std::fs::write(&path, "{").unwrap();
        assert!(Book::read(&path).unwrap_err().to_string().ends_with("is damaged"));
    }
}
