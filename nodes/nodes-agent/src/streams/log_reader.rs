//! Reads a container's log: over rotated files, from a place on, and on with new lines while it
//! runs.
//!
//! Way in: [`LogReader::open`], [`LogReader::run`].  Never: a whole log in memory.
//! Spec: the options of `pods/log`.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use actors_core::Wall;
use actors_object::{ApiError, timefmt};
use bytes::Bytes;
use nodes_client::LogRequest;
use nodes_pods::ContainerRef;
use nodes_shim::wire::{Phase, Reply, Request};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, BufReader},
    sync::mpsc,
};

use super::{
    cri::{Line, Writer},
    log_files::{lives, log_path, rotated},
};
use crate::{
    blocking::off_loop,
    pods::{sandbox::container_id, shim::call},
    shared::{PodRecord, Shared},
};

/// A follower looks for new lines this often.
const LOOK: Duration = Duration::from_millis(200);
/// Output is sent in pieces of about this size.
const PIECE: usize = 16 << 10;

/// One log that is read.
pub(super) struct LogReader {
    shared: Arc<Shared>,
    record: Arc<PodRecord>,
    request: LogRequest,
    life: ContainerRef,
    path: PathBuf,
    since: Option<Wall>,
}

/// What has been read and not yet sent.
struct Output {
    sender: mpsc::Sender<Bytes>,
    writer: Writer,
    buffer: Vec<u8>,
    /// How many bytes may still be sent.
    room: u64,
}

/// The reader has gone, or has all that it asked for.
struct Enough;

impl LogReader {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        record: &Arc<PodRecord>,
        request: LogRequest,
    ) -> Result<Self, ApiError> {
        let key = &record.key;
        let folder = shared.paths.pod_logs(&key.namespace, &key.name, &key.uid);
        let (place, container) = (folder.clone(), request.container.clone());
        let found = off_loop(move || lives(&place, &container)).await.unwrap_or_default();
        let wanted = if request.previous { found.iter().rev().nth(1) } else { found.last() };
        let Some(attempt) = wanted.copied() else {
            return Err(absent(record, &request));
        };
        let life = ContainerRef { name: request.container.clone(), attempt };
        let path = log_path(&folder, &life);
        let now = shared.clock.now().wall;
        let since = since(&request, now)?;
        Ok(Self {
            shared: Arc::clone(shared),
            record: Arc::clone(record),
            request,
            life,
            path,
            since,
        })
    }

    /// Sends the log in pieces until it ends, or until nobody listens.
    pub(super) async fn run(self, sender: mpsc::Sender<Bytes>) {
        let writer = if self.request.timestamps { Writer::stamped() } else { Writer::default() };
        let room = self.request.limit_bytes.unwrap_or(u64::MAX);
        let mut output = Output { sender, writer, buffer: Vec::new(), room };
        if let Err(Enough) = self.pump(&mut output).await {
            tracing::trace!(pod = %self.record.key, "a log's reader has enough");
        }
    }

    async fn pump(&self, output: &mut Output) -> Result<(), Enough> {
        let mut files = rotated(&self.path);
        let current = files.pop();
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        for path in files {
            if let Ok(file) = File::open(&path).await {
                let mut reader = BufReader::new(file);
                self.read_to_end(&mut reader, (&mut last, output)).await?;
            }
        }
        let Some(Ok(file)) = current.map(std::fs::File::open) else { return output.flush().await };
        let mut reader = BufReader::new(File::from_std(file));
        self.read_to_end(&mut reader, (&mut last, output)).await?;
        for record in last.drain(..) {
            output.add(&record).await?;
        }
        output.flush().await?;
        if self.request.follow { self.follow(reader, output).await } else { Ok(()) }
    }

    /// Reads complete records; with a tail they are kept, the newest ones only.
    async fn read_to_end(
        &self,
        reader: &mut BufReader<File>,
        (last, output): (&mut VecDeque<Vec<u8>>, &mut Output),
    ) -> Result<(), Enough> {
        let tail =
            self.request.tail_lines.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
        let mut record = Vec::new();
        while reader.read_until(b'\n', &mut record).await.is_ok_and(|read| read > 0) {
            if self.is_wanted(&record) {
                match tail {
                    None => output.add(&record).await?,
                    Some(lines) => {
                        last.push_back(std::mem::take(&mut record));
                        while last.len() > lines {
                            last.pop_front();
                        }
                    }
                }
            }
            record.clear();
        }
        Ok(())
    }

    fn is_wanted(&self, record: &[u8]) -> bool {
        let Some(since) = self.since else { return true };
        Line::parse(record).and_then(|line| line.at()).is_none_or(|at| at >= since)
    }

    /// New lines, over rotations, until the container has ended and all of it was read.
    async fn follow(&self, mut reader: BufReader<File>, output: &mut Output) -> Result<(), Enough> {
        let mut record = Vec::new();
        let mut ended = false;
        let mut look = tokio::time::interval(LOOK);
        loop {
            while reader.read_until(b'\n', &mut record).await.is_ok_and(|read| read > 0) {
                // A record that is still being written is read again from where it broke off.
                if !record.ends_with(b"\n") {
                    break;
                }
                output.add(&record).await?;
                record.clear();
            }
            output.flush().await?;
            if let Some(next) = self.rotated_away(&reader).await {
                reader = next;
                record.clear();
                continue;
            }
            if ended {
                return Ok(());
            }
            tokio::select! {
                () = output.sender.closed() => return Err(Enough),
                _ = look.tick() => {}
            }
            // Asked before the last read, so that nothing is missed.
            ended = !self.is_running().await;
        }
    }

    /// The file that took the place of the one that is read.
    async fn rotated_away(&self, reader: &BufReader<File>) -> Option<BufReader<File>> {
        use std::os::unix::fs::MetadataExt as _;
        let here = reader.get_ref().metadata().await.ok()?;
        let there = tokio::fs::metadata(&self.path).await.ok()?;
        if here.ino() == there.ino() {
            return None;
        }
        Some(BufReader::new(File::open(&self.path).await.ok()?))
    }

    async fn is_running(&self) -> bool {
        let socket = self.shared.pod_paths(&self.record.key).socket();
        let id = container_id(&self.record.key, &self.life);
        match call(&socket, Request::Status).await {
            Ok(Reply::Status(status)) => {
                let found = status.containers.iter().find(|one| one.id == id);
                found.is_some_and(|one| one.phase != Phase::Exited)
            }
            _ => false,
        }
    }
}

impl Output {
    async fn add(&mut self, record: &[u8]) -> Result<(), Enough> {
        if let Some(line) = Line::parse(record) {
            self.writer.add(&line, &mut self.buffer);
        }
        if self.buffer.len() >= PIECE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Enough> {
        let mut piece = std::mem::take(&mut self.buffer);
        if piece.is_empty() {
            return Ok(());
        }
        piece.truncate(usize::try_from(self.room).unwrap_or(usize::MAX));
        self.room -= u64::try_from(piece.len()).unwrap_or(0);
        self.sender.send(Bytes::from(piece)).await.map_err(|_| Enough)?;
        if self.room == 0 { Err(Enough) } else { Ok(()) }
    }
}

fn since(request: &LogRequest, now: Wall) -> Result<Option<Wall>, ApiError> {
    if let Some(seconds) = request.since_seconds {
        let nanos = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        return Ok(Some(Wall(now.0.saturating_sub(nanos))));
    }
    match &request.since_time {
        None => Ok(None),
        Some(text) => match timefmt::parse(text) {
            Some(at) => Ok(Some(at)),
            None => {
                Err(ApiError::bad_request(format!("sinceTime: {text:?} is not an RFC 3339 time")))
            }
        },
    }
}

/// Why there is no log.
fn absent(record: &PodRecord, request: &LogRequest) -> ApiError {
    let (pod, container) = (&record.key.name, &request.container);
    if request.previous {
        let text = format!("previous terminated container {container:?} in pod {pod:?} not found");
        return ApiError::bad_request(text);
    }
    let object = record.object();
    let statuses = object.as_deref().map(|pod| {
        let lists = ["containerStatuses", "initContainerStatuses"];
        lists.into_iter().flat_map(|list| pod.0.list_at(&["status", list]))
    });
    let status =
        statuses.into_iter().flatten().find(|one| one.at("name").as_str() == Some(container));
    let reason = status
        .and_then(|one| one.str_at(&["state", "waiting", "reason"]))
        .unwrap_or("ContainerCreating");
    ApiError::bad_request(format!(
        "container {container:?} in pod {pod:?} is waiting to start: {reason}"
    ))
}
