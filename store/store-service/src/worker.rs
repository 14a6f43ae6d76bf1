//! A loop that blocks (on a disk) as a supervised actor: a thread of the runtime's blocking pool.
//!
//! Way in: [`worker`].  Owns: nothing; the loop does.
//! Invariant: the next life begins only when the thread of the last one has ended, so two never
//! have one disk open.

use std::sync::Arc;

use actors_core::{Effects, ExitReason, Machine, Turn};
use actors_runtime::{Child, Driver, Failure, Inbox};
use serde::{Deserialize, Serialize};

use crate::queue::Queue;

/// The loop has ended: in order, or for this reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WorkerEvent {
    /// The loop is over.
    Ended(Option<String>),
    /// A piece of work beside the loop is over.
    Done,
}

/// End the actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End(ExitReason);

/// Waits for the end of its loop.
pub(crate) struct Worker;

impl Machine for Worker {
    type Event = WorkerEvent;
    type Effect = End;
    type View = ();

    fn handle(&mut self, _turn: Turn<'_>, event: WorkerEvent, out: &mut Effects<End>) {
        match event {
            WorkerEvent::Ended(None) => out.push(End(ExitReason::Shutdown)),
            WorkerEvent::Ended(Some(why)) => out.push(End(ExitReason::Error(why))),
            WorkerEvent::Done => {}
        }
    }
}

/// Holds the queue of one life open.
pub(crate) struct WorkerDriver<T> {
    queue: Arc<Queue<T>>,
}

impl<T: Send + 'static> Driver<Worker> for WorkerDriver<T> {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, End(reason): End, inbox: &Inbox<WorkerEvent>) {
        inbox.end(reason);
    }

    fn stop(&mut self, _inbox: &Inbox<WorkerEvent>) {
        self.queue.finish();
    }
}

impl<T> Drop for WorkerDriver<T> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A child whose every life runs `body` on a thread of its own, with a queue of its own.
pub(crate) fn worker<T, F>(capacity: usize, body: F) -> Child
where
    T: Send + 'static,
    F: Fn(&Arc<Queue<T>>, &Inbox<WorkerEvent>) -> Result<(), Failure>
        + Clone
        + Send
        + Sync
        + 'static,
{
    Child::machine(move |start| {
        let (body, inbox) = (body.clone(), start.inbox);
        let queue = Arc::new(Queue::new(capacity));
        let driver = WorkerDriver { queue: Arc::clone(&queue) };
        async move {
            let own = inbox.clone();
            inbox.spawn_blocking(move || {
                let ended = body(&queue, &own);
                WorkerEvent::Ended(ended.err().map(|failure| failure.to_string()))
            });
            Ok((Worker, driver))
        }
    })
}
