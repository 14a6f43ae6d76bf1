//! A shim's client for blocking code: the tests, and an agent's blocking parts. Async code uses [`crate::wire`].

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use nodes_oci::{ContainerSpec, ExecSpec};

use crate::wire::{
    ClientFrame, Decoder, Event, FrameError, KillScope, OutputStream, PodStatus, Refusal, Reply,
    Request, ServerFrame, ShimInfo, encode,
};

/// A connection to a shim, for one request at a time.
#[derive(Debug)]
pub struct ShimClient {
    stream: UnixStream,
    decoder: Decoder,
    next_id: u64,
}

/// Why a request got no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket; a shim that is dead refuses or closes the connection.
    #[error("cannot talk to the shim")]
    Io(#[source] io::Error),
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The shim refuses.
    #[error("{message}")]
    Refused {
        /// What sort of reason.
        reason: Refusal,
        /// The reason.
        message: String,
    },
    /// The shim answered something else: a bug.
    #[error("the shim answered {0} instead of what was asked")]
    Unexpected(String),
}

/// What a process in a container wrote, and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Standard output, or the terminal's.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// As a shell reports it.
    pub exit_code: i32,
    /// It was killed because its time was over.
    pub timed_out: bool,
}

/// A shim answers at once but for work of at most seconds; one that does not is stuck.
const TIMEOUT: Duration = Duration::from_secs(60);

impl ShimClient {
    /// Connects to a shim's socket.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).map_err(ClientError::Io)?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(ClientError::Io)?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(ClientError::Io)?;
        Ok(Self { stream, decoder: Decoder::default(), next_id: 1 })
    }

    /// Sends a request; its number.
    ///
    /// # Errors
    /// If the connection is closed or the request too large.
    pub fn send(&mut self, request: Request) -> Result<u64, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        self.send_to(id, request)?;
        Ok(id)
    }

    /// Sends a request for an open stream.
    ///
    /// # Errors
    /// As [`ShimClient::send`].
    pub fn send_to(&mut self, id: u64, request: Request) -> Result<(), ClientError> {
        let bytes = encode(&ClientFrame { id, request })?;
        self.stream.write_all(&bytes).map_err(ClientError::Io)
    }

    /// Waits for the next frame, whichever request it answers; a minute at most.
    ///
    /// # Errors
    /// If the connection is closed or nothing comes.
    pub fn receive(&mut self) -> Result<ServerFrame, ClientError> {
        let mut buffer = [0_u8; 8192];
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            match self.stream.read(&mut buffer).map_err(ClientError::Io)? {
                0 => return Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into())),
                count => self.decoder.push(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Sends a request and waits for its first answer; a refusal is an error.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        let id = self.send(request)?;
        loop {
            let frame = self.receive()?;
            if frame.id == id {
                return match frame.reply {
                    Reply::Refused { reason, message } => {
                        Err(ClientError::Refused { reason, message })
                    }
                    reply => Ok(reply),
                };
            }
        }
    }

    fn done(&mut self, request: Request) -> Result<(), ClientError> {
        match self.call(request)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// [`Request::Info`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn info(&mut self) -> Result<ShimInfo, ClientError> {
        match self.call(Request::Info)? {
            Reply::Info(info) => Ok(info),
            other => Err(unexpected(&other)),
        }
    }

    /// [`Request::Status`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn status(&mut self) -> Result<PodStatus, ClientError> {
        match self.call(Request::Status)? {
            Reply::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// [`Request::Create`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn create(&mut self, spec: ContainerSpec) -> Result<(), ClientError> {
        self.done(Request::Create(Box::new(spec)))
    }

    /// [`Request::Start`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn start(&mut self, container: &str) -> Result<(), ClientError> {
        self.done(Request::Start { container: container.to_owned() })
    }

    /// [`Request::Kill`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn kill(
        &mut self,
        container: &str,
        signal: i32,
        scope: KillScope,
    ) -> Result<(), ClientError> {
        self.done(Request::Kill { container: container.to_owned(), signal, scope })
    }

    /// [`Request::Delete`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn delete(&mut self, container: &str) -> Result<(), ClientError> {
        self.done(Request::Delete { container: container.to_owned() })
    }

    /// [`Request::SetDeadline`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn set_deadline(&mut self, at: Option<actors_core::Mono>) -> Result<(), ClientError> {
        self.done(Request::SetDeadline { at })
    }

    /// [`Request::StopPod`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn stop_pod(&mut self, grace: Duration) -> Result<(), ClientError> {
        let grace_ns = u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX);
        self.done(Request::StopPod { grace_ns })
    }

    /// [`Request::Shutdown`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn shutdown(&mut self) -> Result<(), ClientError> {
        self.done(Request::Shutdown)
    }

    /// [`Request::Subscribe`]: the status now; from here on this connection is for [`ShimClient::next_event`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn subscribe(&mut self, after: u64) -> Result<PodStatus, ClientError> {
        match self.call(Request::Subscribe { after })? {
            Reply::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits for the next event of a subscription.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        match self.receive()?.reply {
            Reply::Event(event) => Ok(event),
            other => Err(unexpected(&other)),
        }
    }

    /// [`Request::Exec`] with all input at once; waits for the end.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn exec(&mut self, spec: ExecSpec, input: &[u8]) -> Result<ExecOutput, ClientError> {
        let has_input = spec.stdin;
        let id = self.send(Request::Exec(Box::new(spec)))?;
        let mut output = ExecOutput::default();
        loop {
            let frame = self.receive()?;
            if frame.id != id {
                continue;
            }
            match frame.reply {
                Reply::Done if has_input => {
                    self.send_to(id, Request::Input(input.to_vec()))?;
                    self.send_to(id, Request::EndInput)?;
                }
                Reply::Done => {}
                Reply::Output { stream: OutputStream::Stdout, bytes } => {
                    output.stdout.extend(bytes)
                }
                Reply::Output { stream: OutputStream::Stderr, bytes } => {
                    output.stderr.extend(bytes)
                }
                Reply::Exited { exit_code, timed_out } => {
                    return Ok(ExecOutput { exit_code, timed_out, ..output });
                }
                Reply::Refused { reason, message } => {
                    return Err(ClientError::Refused { reason, message });
                }
                other => return Err(unexpected(&other)),
            }
        }
    }
}

fn unexpected(reply: &Reply) -> ClientError {
    ClientError::Unexpected(format!("{reply:?}").chars().take(200).collect())
}
