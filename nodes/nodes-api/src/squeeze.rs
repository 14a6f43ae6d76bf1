//! Large answers, compressed for clients that take it.
//!
//! Way in: [`settle`].  Bounds: what is compressed ahead of a client is one piece; what is looked at before it is
//! known whether an answer is large is [`LARGE`].
//! Spec: Kubernetes API concepts, "API response compression": answers to reads over 128 KiB, gzip at its quickest.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::Write as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{Method, StatusCode, header},
};
use actors_object::ApiError;
use bytes::{Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};

use crate::{documents::takes_gzip, encode};

/// From here on an answer is compressed.
const LARGE: usize = 128 * 1024;

/// The same answer, compressed if it is large and the client takes that. Never a watch, a log or a running command:
/// their clients wait for each piece.
pub(crate) async fn settle(http: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let is_read = http.method() == Method::GET && response.status() == StatusCode::OK;
    if !is_read || !takes_gzip(http) || !is_whole(&response) {
        return response;
    }
    let (mut head, mut body) = response.into_parts();
    if let BodySize::None | BodySize::Sized(0) = body.size() {
        return head.set_body(body);
    }
    if matches!(body.size(), BodySize::Sized(size) if size < LARGE as u64) {
        return head.set_body(body);
    }
    let (mut waiting, mut len) = (VecDeque::new(), 0);
    while len < LARGE {
        match poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            Some(Ok(piece)) => {
                len += piece.len();
                waiting.push_back(piece);
            }
            Some(Err(error)) => return encode::error(&ApiError::internal(error)),
            None => {
                let whole = waiting.iter().fold(BytesMut::with_capacity(len), |mut all, piece| {
                    all.extend_from_slice(piece);
                    all
                });
                return head.set_body(BoxBody::new(whole.freeze()));
            }
        }
    }
    let headers = head.headers_mut();
    headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    headers.append(header::VARY, header::HeaderValue::from_static("Accept-Encoding"));
    let packer = GzEncoder::new(Vec::new(), Compression::fast());
    head.set_body(BoxBody::new(Squeezed { body, waiting, packer: Some(packer) }))
}

/// Whether the answer is a document that ends by itself and is not compressed yet.
fn is_whole(response: &HttpResponse) -> bool {
    let media = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.unwrap_or_default();
    let kinds = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
    kinds.iter().any(|kind| media.starts_with(kind))
        && !media.contains("stream=")
        && !response.headers().contains_key(header::CONTENT_ENCODING)
}

/// A body on its way through the packer.
struct Squeezed {
    body: BoxBody,
    /// What was looked at already.
    waiting: VecDeque<Bytes>,
    /// None when everything was packed.
    packer: Option<GzEncoder<Vec<u8>>>,
}

impl MessageBody for Squeezed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        while let Some(packer) = &mut this.packer {
            let piece = match this.waiting.pop_front() {
                Some(piece) => Some(Ok(piece)),
                None => ready!(Pin::new(&mut this.body).poll_next(context)),
            };
            let packed = match piece {
                Some(Ok(piece)) => match packer.write_all(&piece) {
                    Ok(()) => std::mem::take(packer.get_mut()),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => match this.packer.take().map(GzEncoder::finish) {
                    Some(Ok(rest)) => rest,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    None => Vec::new(),
                },
            };
            // The packer keeps small pieces until it has more.
            if !packed.is_empty() {
                return Poll::Ready(Some(Ok(packed.into())));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::{body::to_bytes, test::TestRequest};
    use flate2::read::GzDecoder;
    use futures_util::stream;

    use super::*;

    fn request(encoding: &str) -> HttpRequest {
        TestRequest::get().insert_header(("accept-encoding", encoding)).to_http_request()
    }

    fn streamed(pieces: usize, media: &str) -> HttpResponse {
        let piece =
            |number: usize| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 1_000 + number]));
        let pieces = stream::iter((0..pieces).map(piece).collect::<Vec<_>>());
        HttpResponse::Ok().content_type(media).streaming(pieces)
    }

    async fn read(response: HttpResponse) -> (Option<String>, Vec<u8>) {
        let encoding = response.headers().get(header::CONTENT_ENCODING);
        let encoding = encoding.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = to_bytes(response.into_body()).await.expect("a body");
        if encoding.is_none() {
            return (None, body.to_vec());
        }
        let mut plain = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
        assert!(body.len() * 10 < plain.len(), "{} of {}", body.len(), plain.len());
        (encoding, plain)
    }

    fn len(pieces: usize) -> usize {
        (0..pieces).map(|number| 1_000 + number).sum()
    }

    #[actix_web::test]
    async fn large_answers_are_compressed_and_small_ones_are_not() {
        for (pieces, encoding, is_packed) in [
            (1, "gzip", false),
            (100, "gzip", false),
            (130, "gzip", true),
            (2_000, "br, gzip", true),
            (2_000, "br", false),
            (0, "gzip", false),
        ] {
            let (told, plain) =
                read(settle(&request(encoding), streamed(pieces, "application/json")).await).await;
            assert_eq!((told.is_some(), plain.len()), (is_packed, len(pieces)), "{pieces}");
            assert!(plain.iter().all(|byte| *byte == b'a'));
        }
        let whole =
            |size| HttpResponse::Ok().content_type("application/json").body(vec![b'a'; size]);
        let told = read(settle(&request("gzip"), whole(LARGE)).await).await;
        assert_eq!((told.0.as_deref(), told.1.len()), (Some("gzip"), LARGE));
        let told = read(settle(&request("gzip"), whole(LARGE - 1)).await).await;
        assert_eq!((told.0, told.1.len()), (None, LARGE - 1));
    }

    #[actix_web::test]
    async fn what_clients_wait_for_piece_by_piece_is_left_alone() {
        for media in ["application/json;stream=watch", "text/plain"] {
            let (told, plain) = read(settle(&request("gzip"), streamed(300, media)).await).await;
            assert_eq!((told, plain.len()), (None, len(300)), "{media}");
        }
        let packed = HttpResponse::Ok()
            .content_type("application/json")
            .insert_header((header::CONTENT_ENCODING, "br"))
            .body(vec![0; LARGE]);
        let told = settle(&request("gzip"), packed).await;
        assert_eq!(told.headers().get_all(header::CONTENT_ENCODING).count(), 1);
    }
}
