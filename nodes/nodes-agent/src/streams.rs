//! What the API's edge asks of a node: logs of containers, and commands run in them.
//!
//! Way in: [`AgentHandle`], which is the node's `NodeStreams`; [`run`] is the service under which
//! streams live.
//! Bounds: at most [`STREAMS_MAX`] streams at a time; each is dropped when its reader is.

mod cri;
mod exec;
mod log_files;
mod log_reader;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use actors_object::ApiError;
use actors_runtime::{Failure, PartSpec, Service};
use nodes_client::{ExecRequest, ExecStream, Later, LogRequest, LogStream, NodeStreams};
use tokio::sync::mpsc;

pub(crate) use self::log_files::{log_path, tail};
use crate::shared::{PodRecord, Shared, lock};

/// Most streams that may begin at the same moment.
const STREAMS_MAX: usize = 256;

/// A stream's pump, and how it is listed.
type Job = (PartSpec, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Streams of this node, for the API's edge.
#[derive(Clone)]
pub struct AgentHandle {
    shared: Arc<Shared>,
    jobs: Jobs,
}

/// The way of pumps to the service that runs them.
#[derive(Clone)]
pub(crate) struct Jobs {
    queue: mpsc::Sender<Job>,
    waiting: Arc<Mutex<Option<mpsc::Receiver<Job>>>>,
}

impl Jobs {
    pub(crate) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(STREAMS_MAX);
        Self { queue, waiting: Arc::new(Mutex::new(Some(waiting))) }
    }
}

/// Gives the queue back when the service ends, however it ends.
struct Borrowed {
    jobs: Jobs,
    queue: Option<mpsc::Receiver<Job>>,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        *lock(&self.jobs.waiting) = self.queue.take();
    }
}

/// The service: every stream is a part of it.
pub(crate) async fn run(jobs: Jobs, service: Service) -> Result<(), Failure> {
    let queue = lock(&jobs.waiting).take();
    let mut borrowed = Borrowed { jobs, queue };
    let Some(queue) = &mut borrowed.queue else {
        return Err("the queue of streams is gone".into());
    };
    loop {
        tokio::select! {
            () = service.stopping() => return Ok(()),
            job = queue.recv() => match job {
                // A stream that is refused here ends at once, which its reader sees.
                Some((spec, job)) => drop(service.spawn_part(spec, job)),
                None => return Ok(()),
            },
        }
    }
}

impl AgentHandle {
    pub(crate) fn new(shared: Arc<Shared>, jobs: Jobs) -> Self {
        Self { shared, jobs }
    }

    fn find(&self, namespace: &str, pod: &str, uid: &str) -> Result<Arc<PodRecord>, ApiError> {
        let found = self.shared.pods.find(namespace, pod, uid);
        found.ok_or_else(|| {
            let node = &self.shared.config.node;
            ApiError::internal(format!("pod {namespace}/{pod} is not known on node {node}"))
        })
    }

    async fn begin(
        &self,
        spec: PartSpec,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ApiError> {
        let sent = self.jobs.queue.send((spec, Box::pin(job))).await;
        sent.map_err(|_| ApiError::service_unavailable("the node's streams are not running"))
    }

    async fn open_logs(&self, request: LogRequest) -> Result<LogStream, ApiError> {
        let record = self.find(&request.namespace, &request.pod, &request.uid)?;
        let spec = part("logs", (&request.namespace, &request.pod, &request.container));
        let (sender, pieces) = mpsc::channel(16);
        let reader = log_reader::LogReader::open(&self.shared, &record, request).await?;
        self.begin(spec, reader.run(sender)).await?;
        Ok(LogStream { pieces })
    }

    async fn open_exec(&self, request: ExecRequest) -> Result<ExecStream, ApiError> {
        let record = self.find(&request.namespace, &request.pod, &request.uid)?;
        let spec = part("exec", (&request.namespace, &request.pod, &request.container));
        let (stream, pump) = exec::open(&self.shared, &record, request).await?;
        self.begin(spec, pump).await?;
        Ok(stream)
    }
}

/// How one stream is listed in the tree of actors.
fn part(verb: &str, (namespace, pod, container): (&str, &str, &str)) -> PartSpec {
    PartSpec {
        name: format!("{verb}-{pod}"),
        about: format!("container {container} of pod {namespace}/{pod}"),
    }
}

impl NodeStreams for AgentHandle {
    fn logs(&self, request: LogRequest) -> Later<'_, Result<LogStream, ApiError>> {
        Box::pin(self.open_logs(request))
    }

    fn exec(&self, request: ExecRequest) -> Later<'_, Result<ExecStream, ApiError>> {
        Box::pin(self.open_exec(request))
    }
}
