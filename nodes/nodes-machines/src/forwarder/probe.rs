//! Asks one server again and again whether it is ready, over one connection that stays open.
//!
//! Way in: [`keep`].  Time and order: a process that ends closes the connection, and is asked about at once; a silence
//! is noticed by the next question.  Spec: Kubernetes documentation, "Kubernetes API health endpoints": 200 means ready.

use std::{io, net::SocketAddr, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How often it is asked while somebody is led to it, or to another.
const EVERY: Duration = Duration::from_millis(500);

/// How often it is asked while nobody is: each question wakes two processes.
const REST: Duration = Duration::from_secs(2);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest answer that is read.
const ANSWER_MAX: u64 = 64 << 10;

type Connection = BufStream<TlsStream<TcpStream>>;

/// Tells `say` after each question whether the server is ready; at once when `busy` becomes true. Never ends.
pub(super) async fn keep(
    server: SocketAddr,
    connector: &TlsConnector,
    mut busy: watch::Receiver<bool>,
    mut say: impl FnMut(bool),
) {
    let mut asked: Option<Instant> = None;
    let mut kept: Option<Connection> = None;
    // One that closes every connection is still asked only so often.
    let mut is_early = false;
    loop {
        is_early = tokio::select! {
            () = pause(asked, &mut busy) => false,
            () = ends(&mut kept), if !is_early => {
                kept = None;
                true
            }
        };
        asked = Some(Instant::now());
        let connection = kept.take();
        let is_old = connection.is_some();
        let mut asked = timeout(PATIENCE, ask(connection, server, connector)).await;
        if is_old && matches!(asked, Ok(Err(_))) {
            // A connection may be closed for its age; only a new one that fails tells something.
            asked = timeout(PATIENCE, ask(None, server, connector)).await;
        }
        let is_ready = match asked {
            Ok(Ok((is_ready, connection))) => {
                kept = connection;
                is_ready
            }
            _ => false,
        };
        say(is_ready);
    }
}

/// Returns when it is to be asked again.
async fn pause(asked: Option<Instant>, busy: &mut watch::Receiver<bool>) {
    let Some(asked) = asked else { return };
    if !*busy.borrow_and_update() {
        // An error means that the time has come.
        drop(timeout_at(asked + REST, busy.wait_for(|is_busy| *is_busy)).await);
    } else {
        drop(timeout_at(asked + EVERY, std::future::pending::<()>()).await);
    }
}

/// Returns when the server closes the connection, or says something that nobody asked for.
async fn ends(kept: &mut Option<Connection>) {
    match kept {
        // Whatever is read here, the connection is of no use any more.
        Some(connection) => drop(connection.fill_buf().await),
        None => std::future::pending().await,
    }
}

async fn ask(
    connection: Option<Connection>,
    server: SocketAddr,
    connector: &TlsConnector,
) -> io::Result<(bool, Option<Connection>)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => {
            let socket = TcpStream::connect(server).await?;
            socket.set_nodelay(true)?;
            let name = ServerName::IpAddress(server.ip().into());
            BufStream::with_capacity(1 << 10, 1 << 8, connector.connect(name, socket).await?)
        }
    };
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {server}\r\n\r\n");
    connection.write_all(question.as_bytes()).await?;
    connection.flush().await?;
    let (code, length) = read_head(&mut connection).await?;
    let Some(length) = length.filter(|length| *length <= ANSWER_MAX) else {
        return Ok((code == 200, None));
    };
    let mut body = Vec::new();
    (&mut connection).take(length).read_to_end(&mut body).await?;
    Ok((code == 200, Some(connection)))
}

/// The status and the length of the body, where it is told (RFC 9112 sections 4 and 6.2).
async fn read_head(connection: &mut Connection) -> io::Result<(u16, Option<u64>)> {
    let mut head = connection.take(ANSWER_MAX);
    let mut line = String::new();
    head.read_line(&mut line).await?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or(io::ErrorKind::InvalidData)?;
    let mut length = None;
    loop {
        line.clear();
        if head.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some(_) => {}
            None => return Ok((code, length)),
        }
    }
}
