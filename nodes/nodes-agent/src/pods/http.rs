//! A GET whose answer's code is all that counts.
//!
//! Way in: [`get`].  Never: a body, a redirect that is followed, a connection that is kept.
//! Spec: RFC 9112; Kubernetes documentation, "HTTP probes": certificates are not checked.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Where to ask, and for what.
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) https: bool,
    pub(crate) headers: Vec<(String, String)>,
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The connection.
    #[error("cannot speak to {address}")]
    Connection {
        address: String,
        #[source]
        source: io::Error,
    },
    /// What came is no HTTP.
    #[error("{0} does not speak HTTP")]
    Answer(String),
    /// TLS cannot be set up at all.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// The longest status line that is read.
const LINE_MAX: usize = 1_024;

/// The code of the answer.
pub(crate) async fn get(target: &Target) -> Result<u16, HttpError> {
    let address = target.address.clone();
    let failed = |source| HttpError::Connection { address: address.clone(), source };
    let stream = TcpStream::connect(&target.address).await.map_err(failed)?;
    if !target.https {
        return exchange(stream, target).await;
    }
    let host = target.address.rsplit_once(':').map_or("", |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
    let secure = TlsConnector::from(tls()?).connect(name, stream).await.map_err(failed)?;
    exchange(secure, target).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target,
) -> Result<u16, HttpError> {
    let failed = |source| HttpError::Connection { address: target.address.clone(), source };
    stream.write_all(request(target).as_bytes()).await.map_err(failed)?;
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    while !line.contains(&b'\n') && line.len() < LINE_MAX {
        match stream.read(&mut buffer).await.map_err(failed)? {
            0 => break,
            count => line.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    status(&line).ok_or_else(|| HttpError::Answer(target.address.clone()))
}

fn request(target: &Target) -> String {
    let is_given =
        |name: &str| target.headers.iter().any(|(one, _)| one.eq_ignore_ascii_case(name));
    let slash = if target.path.starts_with('/') { "" } else { "/" };
    let mut text = format!("GET {slash}{} HTTP/1.1\r\nConnection: close\r\n", target.path);
    let usual =
        [("Host", target.address.as_str()), ("User-Agent", "kube-probe/1.35"), ("Accept", "*/*")];
    for (name, value) in usual {
        if !is_given(name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in &target.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n"
}

fn status(line: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(line.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = text.trim().splitn(3, ' ');
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

fn tls() -> Result<Arc<ClientConfig>, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions();
    let config = versions
        .map_err(HttpError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A probe asks whether the container works, not who it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_what_the_pod_says_and_status_lines_are_read() {
        let target = Target {
            address: "10.42.0.5:80".into(),
            path: "/ready?x=1".into(),
            https: false,
            headers: vec![("host".into(), "shop.example".into())],
        };
        let text = request(&target);
        assert!(
            text.starts_with("GET /ready?x=1 HTTP/1.1\r\n")
                && text.ends_with("host: shop.example\r\n\r\n")
        );
        assert!(!text.contains("Host: 10.42.0.5"));
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\nx: y"), Some(204));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
    }
}
