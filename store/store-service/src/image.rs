//! A copy of the whole state on its way from one member to another, in bounded pieces.
//!
//! Way in: [`OutgoingImage`] at the sender, [`IncomingImage`] at the receiver.
//! Owns: a file without a name that takes up what came. Never: the state; it is replaced only when
//! the image is whole and Raft says so.
//! Invariant: an image that was cut short, or of which a piece is missing, is never whole.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use actors_runtime::Ref;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use store_raft::{NodeId, RaftEvent};
use tokio::sync::mpsc;

use crate::{DiskFailure, apply::ApplyOp, shared::Shared, wire};

/// Rows of a state: key and value.
pub(crate) type Page = Vec<(Vec<u8>, Vec<u8>)>;

/// Pieces that were read and wait to be sent.
pub(crate) const PIECES_AHEAD: usize = 4;

/// One piece of an image.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// The first one.
    Begin {
        /// The state has applied at least this.
        index: u64,
    },
    /// Some rows.
    Rows(Vec<(ByteBuf, ByteBuf)>),
    /// The last one.
    End {
        /// How many rows there were.
        rows: u64,
    },
}

/// An image that is being read from the state and sent.
#[derive(Debug)]
pub struct OutgoingImage {
    head: Vec<u8>,
    pieces: mpsc::Receiver<Vec<u8>>,
}

impl OutgoingImage {
    pub(crate) fn new(head: Vec<u8>) -> (Self, mpsc::Sender<Vec<u8>>) {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        (Self { head, pieces }, sender)
    }

    /// What the receiver is told first; for [`crate::Store::receive_image`].
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The next piece, at most [`crate::FRAME_BYTES_MAX`] bytes; `None` behind the last. Whether
    /// anything is missing, the receiver sees.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.pieces.recv().await
    }
}

/// Why an image is not taken. The sender tries again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The store is not running, or takes enough images already.
    #[error("no image can be taken now")]
    Busy,
    /// The image is not what it should be.
    #[error("the image is malformed or not whole")]
    Malformed,
    /// The disk does not take it.
    #[error("the image cannot be kept: {0}")]
    Disk(String),
}

/// An image that comes in. Dropped before [`IncomingImage::finish`], it never was.
pub struct IncomingImage {
    from: NodeId,
    frame: Vec<u8>,
    spool: Spool,
    rows: u64,
    is_whole: bool,
    shared: Arc<Shared>,
    peer: Ref<RaftEvent>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl IncomingImage {
    pub(crate) fn open(
        shared: &Arc<Shared>,
        peer: &Ref<RaftEvent>,
        (from, frame): (NodeId, Vec<u8>),
    ) -> Result<Self, ImageError> {
        let permit = Arc::clone(&shared.images).try_acquire_owned();
        let _permit = permit.map_err(|_| ImageError::Busy)?;
        shared.apply.queue().ok_or(ImageError::Busy)?;
        let file = shared.disks.spool().map_err(|error| ImageError::Disk(error.to_string()))?;
        let spool = Spool { file, index: 0 };
        let (shared, peer) = (Arc::clone(shared), peer.clone());
        Ok(Self { from, frame, spool, rows: 0, is_whole: false, shared, peer, _permit })
    }

    /// Takes the next piece, on disk.
    ///
    /// # Errors
    /// [`ImageError`]; the image is worth nothing then.
    pub async fn push(&mut self, piece: Vec<u8>) -> Result<(), ImageError> {
        match wire::decode::<Piece>(&piece) {
            Some(Piece::Begin { index }) if self.spool.index == 0 && index > 0 => {
                self.spool.index = index;
                Ok(())
            }
            Some(Piece::Rows(rows)) if self.spool.index > 0 && !self.is_whole => {
                self.rows += rows.len() as u64;
                self.spool.add(piece).await
            }
            Some(Piece::End { rows }) if !self.is_whole && rows == self.rows => {
                self.is_whole = self.spool.index > 0;
                Ok(())
            }
            _ => Err(ImageError::Malformed),
        }
    }

    /// Hands the image over; it becomes the state if Raft wants it.
    ///
    /// # Errors
    /// [`ImageError`]; the image is worth nothing then.
    pub async fn finish(self) -> Result<(), ImageError> {
        if !self.is_whole {
            return Err(ImageError::Malformed);
        }
        let apply = self.shared.apply.queue().ok_or(ImageError::Busy)?;
        if !apply.push(ApplyOp::Image(self.spool)) {
            return Err(ImageError::Busy);
        }
        let event = RaftEvent::Message { from: self.from, bytes: self.frame };
        self.peer.tell(event).await.map_err(|_| ImageError::Busy)
    }
}

impl std::fmt::Debug for IncomingImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingImage").field("from", &self.from).finish_non_exhaustive()
    }
}

/// The rows of an image, in a file.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    /// The state has applied at least this.
    pub(crate) index: u64,
}

impl Spool {
    async fn add(&mut self, piece: Vec<u8>) -> Result<(), ImageError> {
        let file = self.file.try_clone();
        let write = move || -> io::Result<()> {
            let mut file = file?;
            let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
            file.write_all(&length.to_be_bytes())?;
            file.write_all(&piece)
        };
        let written = tokio::task::spawn_blocking(write).await;
        let failed = |error: String| ImageError::Disk(error);
        written
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }

    /// The rows, page by page, from the beginning.
    pub(crate) fn pages(
        self,
    ) -> Result<impl Iterator<Item = Result<Page, DiskFailure>>, DiskFailure> {
        let mut file = self.file;
        let length = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(file.take(length));
        Ok(std::iter::from_fn(move || next_page(&mut reader).transpose()))
    }
}

fn next_page(reader: &mut impl Read) -> Result<Option<Page>, DiskFailure> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    reader.read_exact(&mut bytes)?;
    match wire::decode(&bytes) {
        Some(Piece::Rows(rows)) => {
            let row = |(key, value): (ByteBuf, ByteBuf)| (key.into_vec(), value.into_vec());
            Ok(Some(rows.into_iter().map(row).collect()))
        }
        _ => Err("a piece of an image changed on disk".into()),
    }
}
