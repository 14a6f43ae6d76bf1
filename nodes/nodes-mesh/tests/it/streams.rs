//! Logs and commands on another machine.

use std::sync::{Arc, Mutex};

use actors_object::ApiError;
use bytes::Bytes;
use nodes_client::{
    ExecExit, ExecInput, ExecOutput, ExecRequest, ExecStream, Later, LogRequest, LogStream,
    NodeStreams,
};
use nodes_mesh::{RoutedStreams, serve_streams};
use tokio::sync::mpsc;

use crate::scene::{Machine, authority, link, until, within};

/// A node whose containers echo.
struct Echo {
    host: tokio::runtime::Handle,
    followers: Mutex<Vec<mpsc::Sender<Bytes>>>,
    commands: Mutex<Vec<mpsc::Sender<ExecOutput>>>,
}

impl Echo {
    fn new() -> Self {
        let host = tokio::runtime::Handle::current();
        Self { host, followers: Mutex::default(), commands: Mutex::default() }
    }
}

impl NodeStreams for Echo {
    fn logs(&self, request: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        let (sender, pieces) = mpsc::channel(2);
        Box::pin(async move {
            if request.container == "none" {
                return Err(ApiError::bad_request("container none is not valid"));
            }
            self.followers.lock().unwrap().push(sender);
            Ok(LogStream { pieces })
        })
    }

    fn exec(&self, _request: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        let (input, mut typed) = mpsc::channel(2);
        let (printed, output) = mpsc::channel(2);
        self.commands.lock().unwrap().push(printed.clone());
        self.host.spawn(async move {
            while let Some(input) = typed.recv().await {
                let output = match input {
                    ExecInput::Stdin(bytes) => ExecOutput::Stdout(bytes),
                    ExecInput::Resize { width, .. } => ExecOutput::Stderr(width.to_string().into()),
                    ExecInput::StdinEnd => ExecOutput::Exit(ExecExit::Code(3)),
                };
                if printed.send(output).await.is_err() {
                    return;
                }
            }
        });
        Box::pin(async move { Ok(ExecStream { input, output }) })
    }
}

struct Scene {
    echo: Arc<Echo>,
    agent: Machine,
    _server: Machine,
    routed: RoutedStreams,
}

impl Scene {
    async fn start() -> Self {
        let authority = authority();
        let (echo, made) = (Arc::new(Echo::new()), Mutex::new(None));
        let server = Machine::start(&authority, "server-1", |mesh, _| {
            let routed = RoutedStreams::new(mesh.clone(), Arc::new(Echo::new()));
            *made.lock().unwrap() = Some(routed.clone());
            vec![routed.child()]
        })
        .await;
        let agent = Machine::start(&authority, "agent-1", |mesh, _| {
            serve_streams(mesh, Arc::clone(&echo) as Arc<dyn NodeStreams>);
            Vec::new()
        })
        .await;
        link(&[&server, &agent]).await;
        let routed: RoutedStreams = made.lock().unwrap().take().unwrap();
        Self { echo, agent, _server: server, routed }
    }
}

fn of(container: &str) -> LogRequest {
    let (node, container) = ("agent-1".to_owned(), container.to_owned());
    LogRequest { node, container, follow: true, ..LogRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_another_machine_is_followed_until_its_reader_goes() {
    let scene = Scene::start().await;
    let refused = within("a refusal", scene.routed.logs(of("none"))).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (400, "container none is not valid"));
    let mut log = within("a log", scene.routed.logs(of("app"))).await.unwrap();
    let follower = scene.echo.followers.lock().unwrap()[0].clone();
    for number in 0..50 {
        follower.send(format!("line {number}\n").into()).await.unwrap();
        let piece = within("a piece", log.pieces.recv()).await.unwrap();
        assert_eq!(piece, format!("line {number}\n"));
    }
    drop(log);
    until("the end of the log", || follower.is_closed()).await;
    let elsewhere = LogRequest { node: "agent-9".to_owned(), ..LogRequest::default() };
    let error = within("a refusal", scene.routed.logs(elsewhere)).await.unwrap_err();
    assert_eq!(error.code, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_another_machine_is_typed_to_and_heard_at_once_both_ways() {
    let scene = Scene::start().await;
    let request = ExecRequest { node: "agent-1".to_owned(), ..ExecRequest::default() };
    let ExecStream { input, mut output } =
        within("a command", scene.routed.exec(request)).await.unwrap();
    let typing = async move {
        // Far more than all queues on the way hold.
        for _ in 0..200 {
            input.send(ExecInput::Stdin(Bytes::from(vec![b'x'; 64 * 1024]))).await.unwrap();
        }
        input.send(ExecInput::Resize { width: 80, height: 24 }).await.unwrap();
        input.send(ExecInput::StdinEnd).await.unwrap();
        input
    };
    let (mut bytes, mut last) = (0, Vec::new());
    let hearing = async {
        while let Some(printed) = output.recv().await {
            match printed {
                ExecOutput::Stdout(piece) => bytes += piece.len(),
                other => last.push(other),
            }
        }
    };
    let both = async { tokio::join!(typing, hearing) };
    drop(within("both ways", both).await);
    assert_eq!(bytes, 200 * 64 * 1024);
    assert_eq!(last, [ExecOutput::Stderr("80".into()), ExecOutput::Exit(ExecExit::Code(3))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_with_its_reader_and_says_when_its_machine_is_gone() {
    let mut scene = Scene::start().await;
    let request = ExecRequest { node: "agent-1".to_owned(), ..ExecRequest::default() };
    let left = within("a command", scene.routed.exec(request.clone())).await.unwrap();
    let command = scene.echo.commands.lock().unwrap()[0].clone();
    drop(left);
    until("the end of the command", || command.is_closed()).await;
    let mut running = within("a command", scene.routed.exec(request)).await.unwrap();
    scene.agent.kill();
    let end = within("its end", running.output.recv()).await.unwrap();
    assert!(matches!(end, ExecOutput::Exit(ExecExit::Failed(_))), "{end:?}");
}
