//! `pods/NAME/exec` and `pods/NAME/attach` over a WebSocket.
//!
//! Way in: [`answer`].  Spec: the protocol `v5.channel.k8s.io`: the first byte of each binary message is its
//! channel: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 the terminal's size, 255 closes the channel that
//! follows.

use actix_web::{HttpResponse, rt, web};
use actix_ws::{CloseCode, Message, MessageStream, Session};
use actors_object::{ApiError, Map, Value, json};
use futures_util::StreamExt as _;
use nodes_client::{ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream};
use nodes_door::{Target, Verb};
use tokio::sync::mpsc;

use crate::{
    edge::{Visit, bare_request},
    logs::{container_of, node_of},
};

/// Newest first.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Largest message that a client may send.
const FRAME_MAX: usize = 1024 * 1024;

pub(crate) async fn answer(
    visit: &Visit<'_>,
    target: Target,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let attach = target.subresource.as_deref() == Some("attach");
    // The door authorizes `create pods/exec` (or `pods/attach`) and answers the pod.
    let pod =
        visit.parts.client.call(bare_request(visit, Verb::Create, target)?).await.into_object()?;
    let query = &visit.query;
    let request = ExecRequest {
        node: node_of(&pod)?,
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        uid: pod.uid().to_owned(),
        container: container_of(&pod, query.text("container"))?,
        command: query.all("command"),
        stdin: query.truth("stdin")?.unwrap_or(false),
        tty: query.truth("tty")?.unwrap_or(false),
        attach,
    };
    if request.command.is_empty() && !attach {
        return Err(ApiError::bad_request("you must specify at least 1 command for the container"));
    }
    // Last: who is refused falls back to another protocol, and is shown what that is refused for.
    check_protocol(visit)?;
    let running = visit.parts.streams.exec(request).await?;
    let (response, session, messages) =
        actix_ws::handle_with_protocols(visit.http, payload, &PROTOCOLS).map_err(|error| {
            ApiError::bad_request(format!("the WebSocket cannot be opened: {error}"))
        })?;
    // Dies with its connection: the streams of `running` end, and the node ends the command.
    rt::spawn(pump(session, messages.max_frame_size(FRAME_MAX), running));
    Ok(response)
}

fn check_protocol(visit: &Visit<'_>) -> Result<(), ApiError> {
    let headers = visit.http.headers();
    let asks =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !asks("upgrade").eq_ignore_ascii_case("websocket") {
        return Err(ApiError::bad_request(
            "a session needs a WebSocket: send `Upgrade: websocket`",
        ));
    }
    let offered = asks("sec-websocket-protocol");
    if !PROTOCOLS.iter().any(|known| offered.split(',').any(|offer| offer.trim() == *known)) {
        return Err(ApiError::bad_request(format!(
            "a session speaks {}, not {offered:?}",
            PROTOCOLS.join(", ")
        )));
    }
    Ok(())
}

async fn pump(mut session: Session, mut messages: MessageStream, running: ExecStream) {
    let ExecStream { input, mut output } = running;
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(message)) => if !forward(&mut session, message, &input).await { break },
                _ => break,
            },
            printed = output.recv() => {
                let (frame, ends) = match printed {
                    Some(ExecOutput::Stdout(bytes)) => (frame(1, &bytes), false),
                    Some(ExecOutput::Stderr(bytes)) => (frame(2, &bytes), false),
                    Some(ExecOutput::Exit(exit)) => (frame(3, &json::to_vec(&status(&exit))), true),
                    None => (frame(3, &json::to_vec(&status(&lost()))), true),
                };
                if session.binary(frame).await.is_err() || ends {
                    break;
                }
            }
        }
    }
    // The other side may be gone already.
    let _gone = session.close(Some(CloseCode::Normal.into())).await;
}

/// One message of the client; false if the session ends.
async fn forward(session: &mut Session, message: Message, input: &mpsc::Sender<ExecInput>) -> bool {
    let typed = match message {
        Message::Binary(bytes) => match bytes.split_first() {
            Some((0, data)) => Some(ExecInput::Stdin(data.to_vec().into())),
            Some((4, size)) => resize(size),
            Some((255, [0])) => Some(ExecInput::StdinEnd),
            _ => None,
        },
        Message::Ping(bytes) => return session.pong(&bytes).await.is_ok(),
        Message::Close(_) => return false,
        _ => None,
    };
    // A command that no longer reads drops its receiver: what is typed then is lost, as in a pipe.
    if let Some(typed) = typed {
        let _unread = input.send(typed).await;
    }
    true
}

fn frame(channel: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(bytes.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(bytes);
    frame
}

fn resize(body: &[u8]) -> Option<ExecInput> {
    let size = json::parse(body, json::Limits::default()).ok()?.value;
    let of = |name: &str| size.i64_at(&[name]).and_then(|number| u16::try_from(number).ok());
    Some(ExecInput::Resize { width: of("Width")?, height: of("Height")? })
}

fn lost() -> ExecExit {
    ExecExit::Failed("the node ended the stream".to_owned())
}

/// The final `metav1.Status`. Spec: a non-zero exit is reason `NonZeroExitCode` with the cause `ExitCode`.
fn status(exit: &ExecExit) -> Value {
    let mut status = Value::Map(Map::default());
    status.set_path(&["metadata"], Value::Map(Map::default()));
    match exit {
        ExecExit::Code(0) => {
            status.set_path(&["status"], "Success");
        }
        ExecExit::Code(code) => {
            let mut cause = Value::Map(Map::default());
            cause.set_path(&["reason"], "ExitCode");
            cause.set_path(&["message"], code.to_string());
            status.set_path(&["status"], "Failure");
            status.set_path(&["reason"], "NonZeroExitCode");
            let message = format!("command terminated with non-zero exit code: exit status {code}");
            status.set_path(&["message"], message);
            status.set_path(&["details", "causes"], Value::List(vec![cause]));
        }
        ExecExit::Failed(why) => {
            status.set_path(&["status"], "Failure");
            status.set_path(&["reason"], "InternalError");
            status.set_path(&["message"], why.clone());
            status.set_path(&["code"], Value::Int(500));
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command_is_told_as_clients_read_it() {
        let told = |exit| String::from_utf8(json::to_vec(&status(&exit))).expect("text");
        assert_eq!(told(ExecExit::Code(0)), r#"{"metadata":{},"status":"Success"}"#);
        assert!(
            told(ExecExit::Code(3)).contains(r#""causes":[{"reason":"ExitCode","message":"3"}]"#)
        );
        assert!(told(lost()).contains(r#""code":500"#));
    }

    #[test]
    fn a_size_that_is_none_is_ignored() {
        assert!(resize(br#"{"Width":80,"Height":24}"#).is_some());
        assert!(resize(br#"{"Width":-1,"Height":24}"#).is_none());
        assert!(resize(b"x").is_none());
    }
}
