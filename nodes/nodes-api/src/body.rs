//! The body of a request, within its bounds of size, time and memory.
//!
//! Way in: [`read`].  Owns: how much all bodies that are being read hold together.
//! Bounds: 3 MiB a body, [`WITHIN`] each, [`ROOM`] for all that are longer than [`SMALL`], so that many
//! slow ones cannot fill the memory.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use actix_web::web::{self, Bytes, BytesMut};
use actors_object::ApiError;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

/// Largest body that is read. Spec: API servers refuse requests over 3 MiB with 413.
const BODY_MAX: usize = 3 * 1024 * 1024;

/// How much of a body that is too large is still read.
const DRAIN_MAX: usize = 16 * BODY_MAX;

/// How long a body may take to arrive.
const WITHIN: Duration = Duration::from_secs(30);

/// Up to here a body needs no room.
const SMALL: usize = 16 * 1024;

/// Most bytes of all large bodies of this process together.
const ROOM: usize = 128 * 1024 * 1024;

/// What large bodies that are being read hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The room of one body; given back when it is dropped.
#[derive(Default)]
struct Share(usize);

impl Share {
    /// Takes room for a body of this length; false if there is none.
    fn grow(&mut self, len: usize) -> bool {
        let wanted = if len > SMALL { len } else { 0 };
        let more = wanted.saturating_sub(self.0);
        let before = HELD.fetch_add(more, Ordering::Relaxed);
        self.0 += more;
        more == 0 || before + more <= ROOM
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Reads a body up to its bound. Of a larger one the rest is read and dropped, up to a second bound, because a client
/// that is still writing does not hear the answer.
///
/// # Errors
/// 413 if it is too large, 408 if it is too slow, 429 if too many others are being read, 400 if it breaks off.
pub(crate) async fn read(mut payload: web::Payload) -> Result<Bytes, ApiError> {
    let deadline = Instant::now() + WITHIN;
    let mut share = Share::default();
    let mut body = BytesMut::new();
    let mut length = 0;
    loop {
        let piece = timeout_at(deadline, payload.next()).await.map_err(|_| too_slow())?;
        let Some(piece) = piece else { break };
        let piece = piece
            .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))?;
        length += piece.len();
        if length > DRAIN_MAX {
            break;
        }
        if length > BODY_MAX {
            // What was read is of no use any more.
            body = BytesMut::new();
        } else if share.grow(length) {
            body.extend_from_slice(&piece);
        } else {
            let message = "too many large requests are being read, please try again";
            return Err(ApiError::too_many_requests(message, 1));
        }
    }
    match length <= BODY_MAX {
        true => Ok(body.freeze()),
        false => Err(ApiError::too_large(format!("limit is {BODY_MAX} bytes"))),
    }
}

/// Spec: RFC 9110, section 15.5.9.
fn too_slow() -> ApiError {
    let message = format!("the body did not arrive within {} s", WITHIN.as_secs());
    ApiError { code: 408, ..ApiError::timeout(message, 0) }
}
