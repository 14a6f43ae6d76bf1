//! Runs a command in a container, or joins the one that it runs, and pumps its streams.
//!
//! Way in: [`open`].  Order: the command runs before the stream is handed out; its exit comes last.

use std::{future::Future, sync::Arc};

use actors_object::ApiError;
use bytes::Bytes;
use nodes_client::{ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream};
use nodes_oci::{ExecSpec, ProgramError};
use nodes_shim::wire::{OutputStream, Phase, Reply, Request};
use tokio::sync::mpsc;

use crate::{
    pods::{
        container::LifeRecord,
        shim::{Connection, Reader, ShimError, Writer, call},
    },
    shared::{PodRecord, Shared},
};

/// Messages that may wait in either direction.
const WAITING_MAX: usize = 32;
/// So much input is passed on at once.
const INPUT_MAX: usize = 256 << 10;

/// Starts the command; the stream, and the pump that must run for it.
pub(super) async fn open(
    shared: &Arc<Shared>,
    record: &Arc<PodRecord>,
    request: ExecRequest,
) -> Result<(ExecStream, impl Future<Output = ()> + Send + use<>), ApiError> {
    let is_terminal = request.tty;
    let id = running(shared, record, &request.container).await?;
    let asked = if request.attach {
        Request::Attach { container: id }
    } else {
        Request::Exec(Box::new(ExecSpec {
            container: id,
            args: request.command,
            terminal: request.tty,
            stdin: request.stdin,
            ..ExecSpec::default()
        }))
    };
    let socket = shared.pod_paths(&record.key).socket();
    let opened = async {
        let mut connection = Connection::open(&socket, asked).await?;
        connection.reader.next().await.map(|_| connection)
    };
    let (input, typed) = mpsc::channel(WAITING_MAX);
    let (printed, output) = mpsc::channel(WAITING_MAX);
    let opened = match opened.await {
        // The command could not be started: that is its result, not the stream's.
        Err(ShimError::Refused { message, .. }) => Err((message, is_terminal)),
        Err(error) => return Err(ApiError::internal(error.text())),
        Ok(connection) => Ok(connection),
    };
    let pump = async move {
        let exit = match opened {
            Ok(connection) => pump(connection, typed, &printed).await,
            Err(refusal) => refused(refusal, &printed).await,
        };
        // Whoever has gone does not need to know.
        printed.send(ExecOutput::Exit(exit)).await.unwrap_or_default();
    };
    Ok((ExecStream { input, output }, pump))
}

/// What follows from a command that could not be started. One that is not there is told of as shells do: a sentence,
/// and an exit code.
async fn refused(
    (message, is_terminal): (String, bool),
    printed: &mpsc::Sender<ExecOutput>,
) -> ExecExit {
    let Some(code) = ProgramError::exit_code_in(&message) else {
        let why = "Internal error occurred: error executing command in container";
        return ExecExit::Failed(format!("{why}: {message}"));
    };
    let line = format!("exec failed: {message}");
    let output = match is_terminal {
        true => ExecOutput::Stdout(Bytes::from(format!("{line}\r\n"))),
        false => ExecOutput::Stderr(Bytes::from(format!("{line}\n"))),
    };
    // Whoever has gone does not need to know.
    printed.send(output).await.unwrap_or_default();
    ExecExit::Code(code)
}

/// The id of the container's newest life, if it runs.
async fn running(shared: &Shared, record: &PodRecord, container: &str) -> Result<String, ApiError> {
    let socket = shared.pod_paths(&record.key).socket();
    let absent = || {
        let pod = &record.key.name;
        ApiError::bad_request(format!("container {container:?} of pod {pod:?} is not running"))
    };
    let Ok(Reply::Status(status)) = call(&socket, Request::Status).await else {
        return Err(absent());
    };
    let mut newest: Option<(u32, String)> = None;
    for one in status.containers.into_iter().filter(|one| one.phase == Phase::Running) {
        let life = LifeRecord::read(&shared.paths, &record.key.uid, &one.id);
        if let Some(life) = life.filter(|life| life.container.name == container)
            && newest.as_ref().is_none_or(|(attempt, _)| *attempt < life.container.attempt)
        {
            newest = Some((life.container.attempt, one.id));
        }
    }
    newest.map(|(_, id)| id).ok_or_else(absent)
}

async fn pump(
    connection: Connection,
    mut typed: mpsc::Receiver<ExecInput>,
    printed: &mpsc::Sender<ExecOutput>,
) -> ExecExit {
    let Connection { mut reader, mut writer } = connection;
    let mut listening = true;
    loop {
        tokio::select! {
            next = reader.next() => match next {
                Ok(reply) => {
                    if let Some(exit) = pass_on(reply, printed).await {
                        return exit;
                    }
                }
                Err(error) => return ExecExit::Failed(error.text()),
            },
            input = typed.recv(), if listening => match input {
                Some(input) => {
                    if let Err(error) = pass_in(input, &mut writer).await {
                        return drained(&mut reader, printed).await
                            .unwrap_or_else(|| ExecExit::Failed(error.text()));
                    }
                }
                // Nobody will type any more; the command may still have something to say.
                None => listening = false,
            },
            () = printed.closed() => return ExecExit::Failed("the client has gone".to_owned()),
        }
    }
}

/// What a command that no longer reads had left to say.
async fn drained(reader: &mut Reader, printed: &mpsc::Sender<ExecOutput>) -> Option<ExecExit> {
    while let Ok(reply) = reader.next().await {
        if let Some(exit) = pass_on(reply, printed).await {
            return Some(exit);
        }
    }
    None
}

/// The exit, if that is what came.
async fn pass_on(reply: Reply, printed: &mpsc::Sender<ExecOutput>) -> Option<ExecExit> {
    let output = match reply {
        Reply::Output { stream: OutputStream::Stdout, bytes } => {
            ExecOutput::Stdout(Bytes::from(bytes))
        }
        Reply::Output { stream: OutputStream::Stderr, bytes } => {
            ExecOutput::Stderr(Bytes::from(bytes))
        }
        Reply::Exited { exit_code, .. } => return Some(ExecExit::Code(exit_code)),
        _ => return None,
    };
    match printed.send(output).await {
        Ok(()) => None,
        Err(_) => Some(ExecExit::Failed("the client has gone".to_owned())),
    }
}

async fn pass_in(input: ExecInput, writer: &mut Writer) -> Result<(), ShimError> {
    match input {
        ExecInput::Stdin(bytes) => {
            for piece in bytes.chunks(INPUT_MAX) {
                writer.send(Request::Input(piece.to_vec())).await?;
            }
            Ok(())
        }
        ExecInput::StdinEnd => writer.send(Request::EndInput).await,
        ExecInput::Resize { width, height } => {
            writer.send(Request::Resize { rows: height, columns: width }).await
        }
    }
}
