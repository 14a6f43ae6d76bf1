//! Speaks to a pod's shim without blocking: a call, a stream of events, a stream of a process.
//!
//! Way in: [`call`], [`Connection`].  One connection for each call or stream: a shim takes them
//! cheaply, a stream that is not read holds up nobody else, and closing it ends it.

use std::{io, path::Path, time::Duration};

use nodes_shim::wire::{
    ClientFrame, Decoder, FrameError, Refusal, Reply, Request, ServerFrame, encode,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A shim answers at once, but for work of at most seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of the one request of a connection.
const ID: u64 = 1;

/// Why a shim did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShimError {
    /// Nobody listens, or it closed the connection: the shim is dead or dying.
    #[error("the pod's shim does not answer")]
    Gone(#[source] io::Error),
    /// What came is no frame.
    #[error("the pod's shim cannot be understood")]
    Frame(#[from] FrameError),
    /// It refuses.
    #[error("{message}")]
    Refused { reason: Refusal, message: String },
    /// It takes too long.
    #[error("the pod's shim took longer than {} s", PATIENCE.as_secs())]
    Late,
}

/// A connection with one request on it.
pub(crate) struct Connection {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// The shim's answers.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    decoder: Decoder,
}

/// More for the request.
pub(crate) struct Writer {
    half: OwnedWriteHalf,
}

/// One request, one answer; a refusal is an error.
pub(crate) async fn call(socket: &Path, request: Request) -> Result<Reply, ShimError> {
    let answer = async {
        let mut connection = Connection::open(socket, request).await?;
        connection.reader.next().await
    };
    tokio::time::timeout(PATIENCE, answer).await.map_err(|_| ShimError::Late)?
}

impl Connection {
    /// Connects and sends the request that the connection is for.
    pub(crate) async fn open(socket: &Path, request: Request) -> Result<Self, ShimError> {
        let stream = UnixStream::connect(socket).await.map_err(ShimError::Gone)?;
        let (read, write) = stream.into_split();
        let reader = Reader { half: read, decoder: Decoder::default() };
        let mut connection = Self { reader, writer: Writer { half: write } };
        connection.writer.send(request).await?;
        Ok(connection)
    }
}

impl Writer {
    pub(crate) async fn send(&mut self, request: Request) -> Result<(), ShimError> {
        let bytes = encode(&ClientFrame { id: ID, request })?;
        self.half.write_all(&bytes).await.map_err(ShimError::Gone)
    }
}

impl Reader {
    /// The next answer. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Result<Reply, ShimError> {
        let mut buffer = [0; 8 << 10];
        loop {
            if let Some(frame) = self.decoder.next_frame::<ServerFrame>()? {
                return match frame.reply {
                    Reply::Refused { reason, message } => {
                        Err(ShimError::Refused { reason, message })
                    }
                    reply => Ok(reply),
                };
            }
            match self.half.read(&mut buffer).await.map_err(ShimError::Gone)? {
                0 => return Err(ShimError::Gone(io::ErrorKind::UnexpectedEof.into())),
                count => self.decoder.push(buffer.get(..count).unwrap_or_default()),
            }
        }
    }
}

impl ShimError {
    /// With all causes, for people.
    pub(crate) fn text(&self) -> String {
        nodes_oci::chain(self)
    }
}
