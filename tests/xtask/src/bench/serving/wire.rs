//! HTTP/1.1 over TLS as cheap as a load generator can have it: bytes are counted, not kept.
//!
//! Way in: [`Dialer::connect`], [`Link::ask`].

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustls::{
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::super::uptime;

/// How long nothing may come, or nothing may be taken, on a connection.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// Where connections are made to, and as whom.
#[derive(Clone)]
pub(crate) struct Dialer {
    config: Arc<ClientConfig>,
    address: SocketAddr,
}

/// One connection.
pub(crate) struct Link {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
    start: usize,
}

/// What an answer was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) code: u16,
    /// Bytes of the body.
    pub(crate) bytes: usize,
    /// Seconds from the request to the first byte of the body.
    pub(crate) first: f64,
    /// Seconds from the request to the last byte.
    pub(crate) whole: f64,
}

impl Dialer {
    /// The operator of the cluster whose data is in `folder`, at `server`: `https://HOST:PORT`.
    pub(crate) fn of(folder: &Path, server: &str) -> Result<Self> {
        let address = server.trim_start_matches("https://").parse()?;
        let read = |file: &str| {
            let path = folder.join("pki").join(file);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&read("ca.crt")?)?)?;
        let chain = read("kubernetes-admin.crt")?;
        let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&read("kubernetes-admin.key")?)?;
        let mut provider = rustls::crypto::ring::default_provider();
        // The order of Go's clients, which most of Kubernetes' are: AES with 128 bits first.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        // For `Records`.
        config.enable_secret_extraction = true;
        Ok(Self { config: Arc::new(config), address })
    }

    /// The same identity at another port of this machine.
    pub(crate) fn at_port(&self, port: u16) -> Self {
        Self { config: Arc::clone(&self.config), address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Result<Link> {
        let socket = self.socket()?;
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        let stream = StreamOwned::new(connection, socket);
        Ok(Link { stream, buffer: Vec::with_capacity(64 * 1024), start: 0 })
    }

    /// A connection that says nothing, not even a handshake.
    pub(crate) fn socket(&self) -> Result<TcpStream> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENT_FOR))?;
        socket.set_write_timeout(Some(SILENT_FOR))?;
        Ok(socket)
    }
}

/// A request's bytes.
pub(crate) fn request(line: &str, accept: &str, (media, body): (&str, &[u8])) -> Vec<u8> {
    let mut bytes = format!("{line} HTTP/1.1\r\nhost: bench\r\naccept: {accept}\r\n");
    if !body.is_empty() {
        bytes.push_str(&format!("content-type: {media}\r\ncontent-length: {}\r\n", body.len()));
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}

impl Link {
    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        let began = uptime()?;
        self.send(request)?;
        let head = self.head()?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.context("an answer without a code")?;
        let field = |name: &str| {
            let found = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned));
            found.map(|value| value.trim().to_owned())
        };
        let mut first = None;
        let mut bytes = 0;
        if let Some(length) = field("content-length:") {
            bytes = length.parse()?;
            self.pass(bytes, &mut first)?;
        } else {
            loop {
                let size = self.line()?;
                first.get_or_insert(uptime()?);
                let size = usize::from_str_radix(&size, 16)?;
                self.pass(size + 2, &mut first)?;
                if size == 0 {
                    break;
                }
                bytes += size;
            }
        }
        let ended = uptime()?;
        Ok(Answer { code, bytes, first: first.unwrap_or(ended) - began, whole: ended - began })
    }

    /// The same; anything but success is an error.
    pub(crate) fn done(&mut self, request: &[u8]) -> Result<Answer> {
        let answer = self.ask(request)?;
        if !(200..300).contains(&answer.code) {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            bail!("{}: {}", String::from_utf8_lossy(line), answer.code);
        }
        Ok(answer)
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    /// Reads the head of an answer.
    pub(crate) fn head(&mut self) -> Result<String> {
        self.until(b"\r\n\r\n")
    }

    /// The connection in parts, for those who read many at once. Nothing may have come behind the head.
    pub(crate) fn into_parts(self) -> Result<(ClientConnection, TcpStream)> {
        match self.start == self.buffer.len() {
            true => Ok((self.stream.conn, self.stream.sock)),
            false => bail!("a body began before it was expected"),
        }
    }

    fn line(&mut self) -> Result<String> {
        self.until(b"\r\n")
    }

    fn until(&mut self, mark: &[u8]) -> Result<String> {
        loop {
            let read = &self.buffer[self.start..];
            if let Some(at) = read.windows(mark.len()).position(|window| window == mark) {
                let text = String::from_utf8_lossy(&read[..at]).into_owned();
                self.start += at + mark.len();
                return Ok(text);
            }
            self.fill()?;
        }
    }

    /// Passes over bytes of the body.
    fn pass(&mut self, mut count: usize, first: &mut Option<f64>) -> Result<()> {
        while count > 0 {
            if self.start == self.buffer.len() {
                self.fill()?;
            }
            if first.is_none() {
                *first = Some(uptime()?);
            }
            let passed = count.min(self.buffer.len() - self.start);
            self.start += passed;
            count -= passed;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        let from = self.buffer.len();
        self.buffer.resize(from + 64 * 1024, 0);
        let count = self.stream.read(&mut self.buffer[from..])?;
        self.buffer.truncate(from + count);
        if count == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}
