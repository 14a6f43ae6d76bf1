//! How frames of Raft and images of the state get to other members.
//!
//! Way in: [`Transport`]; [`InProcess`] for several members in one process, [`Alone`] for a sole
//! voter.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
};

use store_raft::{NodeId, SnapshotDelivery};

use crate::{Store, locks::lock};

/// Rows of a state: key and value.
pub type Page = Vec<(Vec<u8>, Vec<u8>)>;

/// A delivery that is under way.
pub type Delivery = Pin<Box<dyn Future<Output = SnapshotDelivery> + Send>>;

/// A whole state, and the frame that follows it.
#[derive(Debug, Clone)]
pub struct Image {
    /// All rows.
    pub pages: Vec<Page>,
    /// Given to [`Store::receive`] when the receiver has the rows.
    pub frame: Vec<u8>,
}

/// Carries frames to other members. Frames may be lost, doubled or late; they are never altered.
pub trait Transport: Send + Sync + 'static {
    /// Sends a frame, or drops it. Never waits.
    fn send(&self, to: NodeId, frame: Vec<u8>);

    /// Sends an image; the result says whether [`Store::receive_image`] took it.
    fn send_image(&self, to: NodeId, image: Image) -> Delivery;
}

/// The transport of a sole voter: there is nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Transport for Alone {
    fn send(&self, _to: NodeId, _frame: Vec<u8>) {}

    fn send_image(&self, _to: NodeId, _image: Image) -> Delivery {
        Box::pin(async { SnapshotDelivery::Failed })
    }
}

/// Several members in one process, for tests; connections can be cut.
#[derive(Debug, Clone, Default)]
pub struct InProcess {
    net: Arc<Mutex<Net>>,
    node: NodeId,
}

#[derive(Debug, Default)]
struct Net {
    stores: BTreeMap<NodeId, Store>,
    cut: BTreeSet<NodeId>,
}

impl InProcess {
    /// This network's end at `node`.
    #[must_use]
    pub fn at(&self, node: NodeId) -> Self {
        Self { net: Arc::clone(&self.net), node }
    }

    /// Connects a member; in place of an earlier one with the same number.
    pub fn connect(&self, node: NodeId, store: Store) {
        lock(&self.net).stores.insert(node, store);
    }

    /// Takes a member off the network, forgetting it.
    pub fn disconnect(&self, node: NodeId) {
        lock(&self.net).stores.remove(&node);
    }

    /// Cuts a member off from all others.
    pub fn cut(&self, node: NodeId) {
        lock(&self.net).cut.insert(node);
    }

    /// Ends all cuts.
    pub fn heal(&self) {
        lock(&self.net).cut.clear();
    }

    fn reach(&self, to: NodeId) -> Option<Store> {
        let net = lock(&self.net);
        let cut = net.cut.contains(&to) || net.cut.contains(&self.node);
        net.stores.get(&to).filter(|_| !cut).cloned()
    }
}

impl Transport for InProcess {
    fn send(&self, to: NodeId, frame: Vec<u8>) {
        if let Some(store) = self.reach(to) {
            store.receive(self.node, frame);
        }
    }

    fn send_image(&self, to: NodeId, image: Image) -> Delivery {
        let delivered = self.reach(to).is_some_and(|store| store.receive_image(self.node, image));
        let delivery =
            if delivered { SnapshotDelivery::Delivered } else { SnapshotDelivery::Failed };
        Box::pin(async move { delivery })
    }
}
