//! `pods/NAME/exec` and `pods/NAME/attach` over a WebSocket.
//!
//! Way in: [`answer`].  Spec: the protocol `v5.channel.k8s.io`: the first byte of each binary message is its
//! channel: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 the terminal's size, 255 closes the channel that
//! follows. A certificate that is revoked ends the sessions that it began, with the code 1008 (policy violation).

use actix_web::{HttpResponse, rt, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use actors_object::{ApiError, Map, Object, Value, json};
use futures_util::StreamExt as _;
use nodes_client::{ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream};
use nodes_door::{Target, Verb};
use tokio::sync::mpsc;

use crate::{
    edge::{Visit, bare_request},
    identity::{self, REVOKED, Revocation},
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
    if let Err(refusal) = check_protocol(visit) {
        return not_running(&pod, &request.container).ok_or(refusal);
    }
    let running = visit.parts.streams.exec(request).await?;
    let (response, session, messages) =
        actix_ws::handle_with_protocols(visit.http, payload, &PROTOCOLS).map_err(|error| {
            ApiError::bad_request(format!("the WebSocket cannot be opened: {error}"))
        })?;
    // Dies with its connection: the streams of `running` end, and the node ends the command.
    let revocation = identity::revocation(visit.http, visit.parts);
    rt::spawn(pump(session, messages.max_frame_size(FRAME_MAX), (running, revocation)));
    Ok(response)
}

/// The answer to a session with a container that does not run: no Status, but the text that clients show when they could
/// not open a session at all.
fn not_running(pod: &Object, container: &str) -> Option<HttpResponse> {
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let statuses = lists.iter().flat_map(|list| pod.list_at(&["status", list]));
    let mut own = statuses.filter(|status| status.str_at(&["name"]) == Some(container));
    if own.any(|status| status.path(&["state", "running"]).is_some()) {
        return None;
    }
    let text = format!("container not found ({container:?})");
    Some(HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body(text))
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

async fn pump(
    mut session: Session,
    mut messages: MessageStream,
    (running, mut revocation): (ExecStream, Revocation),
) {
    let ExecStream { input, mut output } = running;
    let mut close = CloseReason::from(CloseCode::Normal);
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
            // What the command does from here on is nobody's: it ends with its streams.
            () = revocation.wait() => {
                close = CloseReason { code: CloseCode::Policy, description: Some(REVOKED.into()) };
                let _gone = session.binary(frame(3, &json::to_vec(&revoked()))).await;
                break;
            }
        }
    }
    // The other side may be gone already.
    let _gone = session.close(Some(close)).await;
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

/// The final Status of a session whose caller is nobody any more.
fn revoked() -> Value {
    ApiError::unauthorized(REVOKED).to_value()
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
    use std::{collections::BTreeSet, pin::Pin};

    use actix_web::{FromRequest as _, body, dev, error::PayloadError, test::TestRequest};
    use actors_object::value;
    use bytes::Bytes;
    use futures_util::{Stream, stream};
    use tokio::sync::watch;

    use super::*;

    #[test]
    fn a_session_whose_certificate_is_revoked_is_told_so_and_closed() {
        let told = rt::System::new().block_on(async {
            let headers = [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="),
            ];
            let begin = TestRequest::get();
            let request = headers.into_iter().fold(begin, TestRequest::insert_header);
            let (request, _) = request.to_http_parts();
            let silent: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
                Box::pin(stream::pending());
            let mut payload = dev::Payload::from(silent);
            let payload = web::Payload::from_request(&request, &mut payload).await.expect("a body");
            let (response, session, messages) =
                actix_ws::handle(&request, payload).expect("a WebSocket");
            let revoked = watch::Sender::new(BTreeSet::from(["6".to_owned()]));
            let revocation = Revocation::of("7", revoked.subscribe());
            let (input, mut typed) = mpsc::channel(1);
            let (printed, output) = mpsc::channel(1);
            printed.send(ExecOutput::Stdout("hello".into())).await.expect("room");
            rt::spawn(pump(session, messages, (ExecStream { input, output }, revocation)));
            printed.send(ExecOutput::Stdout("again".into())).await.expect("it is still read");
            let _room = printed.reserve().await.expect("it is still read");
            revoked.send_replace(BTreeSet::from(["6".to_owned(), "7".to_owned()]));
            let told = body::to_bytes(response.into_body()).await.expect("all of it");
            assert!(typed.recv().await.is_none(), "the command has lost its streams");
            told
        });
        let text = String::from_utf8_lossy(&told);
        assert!(
            text.contains("\u{1}hello") && text.contains(r#""reason":"Unauthorized""#),
            "{text}"
        );
        // The last frame is a close with its code and its reason.
        let (code, reason) = ([0x88, 2 + REVOKED.len() as u8, 3, 240], REVOKED.as_bytes());
        assert!(told.ends_with(&[&code[..], reason].concat()), "{text}");
    }

    #[test]
    fn the_end_of_a_command_is_told_as_clients_read_it() {
        let told = |exit| String::from_utf8(json::to_vec(&status(&exit))).expect("text");
        assert_eq!(told(ExecExit::Code(0)), r#"{"metadata":{},"status":"Success"}"#);
        assert!(
            told(ExecExit::Code(3)).contains(r#""causes":[{"reason":"ExitCode","message":"3"}]"#)
        );
        assert!(told(lost()).contains(r#""code":500"#));
        let revoked = String::from_utf8(json::to_vec(&revoked())).expect("text");
        assert!(revoked.contains(REVOKED) && revoked.contains(r#""code":401"#), "{revoked}");
    }

    #[test]
    fn a_container_that_does_not_run_is_not_found_and_one_that_runs_wants_another_protocol() {
        let statuses = value!([
            { "name": "up", "state": { "running": { "startedAt": "2026-11-21T08:00:00Z" } } },
            { "name": "waits", "state": { "waiting": { "reason": "ErrImagePull" } } },
        ]);
        let pod = Object(value!({ "status": { "containerStatuses": statuses } }));
        assert!(not_running(&pod, "up").is_none());
        for container in ["waits", "new"] {
            let answer = not_running(&pod, container).expect("an answer");
            assert_eq!(answer.status(), 404);
        }
    }

    #[test]
    fn a_size_that_is_none_is_ignored() {
        assert!(resize(br#"{"Width":80,"Height":24}"#).is_some());
        assert!(resize(br#"{"Width":-1,"Height":24}"#).is_none());
        assert!(resize(b"x").is_none());
    }
}
