//! How frames of Raft, requests and images of the state get to other members.
//!
//! Way in: [`Transport`]; [`InProcess`] for several members in one process, [`Alone`] for a sole
//! voter.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use store_raft::{NodeId, SnapshotDelivery};
use tokio::sync::watch;

use crate::{OutgoingImage, Store, locks::lock};

/// Something that is under way.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A delivery that is under way.
pub type Delivery = Later<SnapshotDelivery>;

/// Most bytes of a frame, a request, an answer or a piece of an image.
pub const FRAME_BYTES_MAX: usize = store_mvcc::ENTRY_BYTES_MAX + 64 * 1024;

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The request never left: nothing was done.
    #[error("the member cannot be reached")]
    Unreachable,
    /// The request left and no answer came: nobody knows what was done.
    #[error("the member did not answer")]
    Lost,
}

/// Carries frames to other members. Frames may be lost, doubled or late; they are never altered.
pub trait Transport: Send + Sync + 'static {
    /// Sends a frame, or drops it. Never waits. At the other end: [`Store::receive`].
    ///
    /// Frames to one member should keep their order, and must not wait behind images.
    fn send(&self, to: NodeId, frame: Vec<u8>);

    /// Asks another member, usually the leader. At the other end: [`Store::serve_peer`].
    ///
    /// A connection that is lost ends its requests at once, with [`AskError::Lost`]. Who asks gives
    /// up by dropping the future.
    fn ask(&self, to: NodeId, request: Vec<u8>) -> Later<Result<Vec<u8>, AskError>>;

    /// Sends an image, piece by piece, on a way of its own. At the other end:
    /// [`Store::receive_image`]. The result says whether the last piece was taken and
    /// [`crate::IncomingImage::finish`] said that the image is whole.
    fn send_image(&self, to: NodeId, image: OutgoingImage) -> Delivery;
}

/// The transport of a sole voter: there is nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Transport for Alone {
    fn send(&self, _to: NodeId, _frame: Vec<u8>) {}

    fn ask(&self, _to: NodeId, _request: Vec<u8>) -> Later<Result<Vec<u8>, AskError>> {
        Box::pin(async { Err(AskError::Unreachable) })
    }

    fn send_image(&self, _to: NodeId, _image: OutgoingImage) -> Delivery {
        Box::pin(async { SnapshotDelivery::Failed })
    }
}

/// Several members in one process, for tests; connections can be cut, in one direction or both.
#[derive(Debug, Clone, Default)]
pub struct InProcess {
    net: Arc<Net>,
    node: NodeId,
}

#[derive(Debug, Default)]
struct Net {
    state: Mutex<NetState>,
    /// Rises with every cut, so that what is under way can look whether it is still connected.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct NetState {
    stores: BTreeMap<NodeId, Store>,
    /// From whom to whom nothing gets.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// How long each piece of an image takes.
    piece_time: Duration,
    /// Pieces of images that arrived.
    pieces: u64,
}

impl InProcess {
    /// This network's end at `node`.
    #[must_use]
    pub fn at(&self, node: NodeId) -> Self {
        Self { net: Arc::clone(&self.net), node }
    }

    /// Connects a member; in place of an earlier one with the same number.
    pub fn connect(&self, node: NodeId, store: Store) {
        lock(&self.net.state).stores.insert(node, store);
    }

    /// Takes a member off the network, forgetting it.
    pub fn disconnect(&self, node: NodeId) {
        self.change(|net| {
            net.stores.remove(&node);
        });
    }

    /// Cuts a member off from all others.
    pub fn cut(&self, node: NodeId) {
        self.change(|net| {
            let others: Vec<_> = net.stores.keys().copied().filter(|it| *it != node).collect();
            net.cut.extend(others.iter().flat_map(|other| [(node, *other), (*other, node)]));
        });
    }

    /// Cuts one direction only.
    pub fn cut_way(&self, from: NodeId, to: NodeId) {
        self.change(|net| {
            net.cut.insert((from, to));
        });
    }

    /// Ends all cuts.
    pub fn heal(&self) {
        self.change(|net| net.cut.clear());
    }

    /// Makes images slow: each piece takes this long.
    pub fn slow_images(&self, piece_time: Duration) {
        lock(&self.net.state).piece_time = piece_time;
    }

    /// How many pieces of images have arrived so far, anywhere.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        lock(&self.net.state).pieces
    }

    fn change(&self, how: impl FnOnce(&mut NetState)) {
        how(&mut lock(&self.net.state));
        self.net.changed.send_modify(|count| *count += 1);
    }

    fn reach(&self, to: NodeId) -> Option<Store> {
        let net = lock(&self.net.state);
        let cut = net.cut.contains(&(self.node, to)) || !net.stores.contains_key(&self.node);
        net.stores.get(&to).filter(|_| !cut).cloned()
    }

    /// Whether both directions are open.
    fn is_connected(&self, to: NodeId) -> bool {
        self.reach(to).is_some() && self.at(to).reach(self.node).is_some()
    }

    /// Resolves when the connection is cut.
    async fn broken(&self, to: NodeId) {
        let mut changed = self.net.changed.subscribe();
        while self.is_connected(to) && changed.changed().await.is_ok() {}
    }

    async fn carry(&self, to: NodeId, mut image: OutgoingImage) -> Option<()> {
        let store = self.reach(to)?;
        let mut incoming = store.receive_image(self.node, image.head().to_vec()).ok()?;
        while let Some(piece) = image.next().await {
            let piece_time = lock(&self.net.state).piece_time;
            if tokio::time::timeout(piece_time, self.broken(to)).await.is_ok() {
                return None;
            }
            incoming.push(piece).await.ok()?;
            lock(&self.net.state).pieces += 1;
        }
        incoming.finish().await.ok()
    }
}

impl Transport for InProcess {
    fn send(&self, to: NodeId, frame: Vec<u8>) {
        if let Some(store) = self.reach(to) {
            store.receive(self.node, frame);
        }
    }

    fn ask(&self, to: NodeId, request: Vec<u8>) -> Later<Result<Vec<u8>, AskError>> {
        let net = self.clone();
        Box::pin(async move {
            let store = net.reach(to).ok_or(AskError::Unreachable)?;
            tokio::select! {
                answer = store.serve_peer(net.node, request) => {
                    if net.is_connected(to) { Ok(answer) } else { Err(AskError::Lost) }
                }
                () = net.broken(to) => Err(AskError::Lost),
            }
        })
    }

    fn send_image(&self, to: NodeId, image: OutgoingImage) -> Delivery {
        let net = self.clone();
        Box::pin(async move {
            let arrived = tokio::select! {
                arrived = net.carry(to, image) => arrived,
                () = net.broken(to) => None,
            };
            match arrived {
                Some(()) => SnapshotDelivery::Delivered,
                None => SnapshotDelivery::Failed,
            }
        })
    }
}
