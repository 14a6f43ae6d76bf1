//! The one place that puts futures on the runtime: tasks that belong to one life of one actor.
//!
//! Way in: [`Tasks::spawn`].  Owns: the handles of what runs.
//! Invariants: 1. a task does not outlive [`Tasks::close`] by more than its current poll.
//! 2. never more than [`Tasks::LEN_MAX`] at once.

use std::{
    cell::Cell,
    collections::BTreeMap,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use tokio::{runtime::Handle, task::AbortHandle};

use crate::{fault::Fault, life::KeyCommand, meter::Meter, observer::Node, part::Label};

/// The tasks of one life.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    running: BTreeMap<u64, Entry>,
    /// How many of them have labels.
    parts: usize,
    /// Most that may have.
    parts_max: Option<usize>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Entry {
    /// `None` between the admission of a task and its start.
    handle: Option<AbortHandle>,
    /// What people may know of it.
    label: Option<Arc<Label>>,
}

/// Who obeys a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commanded {
    /// There is no such part, or it cannot do this.
    Nobody,
    /// The part alone.
    Part,
    /// It is a piece without which its service cannot do: that is to end in this way.
    Whole(Fault),
}

/// Why a task was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpawnRefused {
    /// The life is over.
    Closed,
    /// There are [`Tasks::LEN_MAX`] already.
    Full,
}

impl Tasks {
    /// Most tasks that one life may run at a time.
    pub(crate) const LEN_MAX: usize = 65_536;

    /// Most of them that are listed, if their service says nothing else.
    pub(crate) const PARTS_MAX: usize = 10_000;

    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, table: Arc::default() }
    }

    /// Runs `future` until it ends or the life does.
    pub(crate) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), SpawnRefused> {
        let done = self.admit(None)?;
        let id = done.id;
        let task = self.runtime.spawn(async move {
            let _done = done;
            future.await;
        });
        self.started(id, task.abort_handle());
        Ok(())
    }

    /// Runs what `part` makes of its number; it is listed under its label as long as it runs.
    pub(crate) fn spawn_labelled<F>(
        &self,
        label: &Arc<Label>,
        part: impl FnOnce(u64) -> F,
    ) -> Result<(), SpawnRefused>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let done = self.admit(Some(label))?;
        let id = done.id;
        let future = part(id);
        let task = self.runtime.spawn(async move {
            let _done = done;
            future.await;
        });
        self.started(id, task.abort_handle());
        Ok(())
    }

    pub(crate) fn limit_parts(&self, max: usize) {
        lock(&self.table).parts_max = Some(max);
    }

    pub(crate) fn parts_max(&self) -> usize {
        lock(&self.table).parts_max.unwrap_or(Self::PARTS_MAX)
    }

    /// What has a label, as nodes below `service`.
    pub(crate) fn nodes(&self, service: &str) -> Vec<Node> {
        let labels: Vec<_> = {
            let table = lock(&self.table);
            let entries = table.running.iter();
            entries.filter_map(|(id, entry)| Some((*id, entry.label.clone()?))).collect()
        };
        labels.into_iter().map(|(id, label)| label.node(service, id)).collect()
    }

    /// Does something to the part of this name and number.
    pub(crate) fn command(&self, part: &str, command: KeyCommand) -> Commanded {
        let found = part.rsplit_once('#').and_then(|(name, number)| {
            let table = lock(&self.table);
            let entry = table.running.get(&number.parse().ok()?)?;
            let label = entry.label.clone().filter(|label| label.is_named(name))?;
            Some((label, entry.handle.clone()))
        });
        let Some((label, handle)) = found else { return Commanded::Nobody };
        match (command, handle) {
            (KeyCommand::Inject(fault), _) if label.is_piece => return Commanded::Whole(fault),
            (KeyCommand::Inject(Fault::Kill), Some(handle)) => handle.abort(),
            (KeyCommand::Inject(fault), _) => label.inject(fault),
            (KeyCommand::Unpark | KeyCommand::Suspend(_), _) => return Commanded::Nobody,
        }
        Commanded::Part
    }

    /// Runs `work` on a thread that may block. It cannot be aborted: the life's end waits for it.
    pub(crate) fn spawn_blocking(
        &self,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), SpawnRefused> {
        let done = self.admit(None)?;
        let id = done.id;
        let task = self.runtime.spawn_blocking(move || {
            let _done = done;
            work();
        });
        self.started(id, task.abort_handle());
        Ok(())
    }

    fn admit(&self, label: Option<&Arc<Label>>) -> Result<Done, SpawnRefused> {
        let mut table = lock(&self.table);
        if table.closed {
            return Err(SpawnRefused::Closed);
        }
        if table.running.len() >= Self::LEN_MAX {
            return Err(SpawnRefused::Full);
        }
        if label.is_some_and(|label| !label.is_piece) {
            if table.parts >= table.parts_max.unwrap_or(Self::PARTS_MAX) {
                return Err(SpawnRefused::Full);
            }
            table.parts += 1;
        }
        table.next += 1;
        let id = table.next;
        table.running.insert(id, Entry { handle: None, label: label.cloned() });
        Ok(Done { id, table: Arc::clone(&self.table) })
    }

    /// The task may be done by now, and the life may be over.
    fn started(&self, id: u64, task: AbortHandle) {
        let mut table = lock(&self.table);
        if table.closed {
            task.abort();
        } else if let Some(entry) = table.running.get_mut(&id) {
            entry.handle = Some(task);
        }
    }

    /// Aborts everything, and refuses what comes later.
    pub(crate) fn close(&self) {
        let running = {
            let mut table = lock(&self.table);
            table.closed = true;
            table.parts = 0;
            std::mem::take(&mut table.running)
        };
        running.into_values().filter_map(|entry| entry.handle).for_each(|task| task.abort());
    }
}

/// Takes a task out of the table when it ends in any way.
struct Done {
    id: u64,
    table: Arc<Mutex<Table>>,
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        let entry = table.running.remove(&self.id);
        let label = entry.and_then(|entry| entry.label);
        if label.is_some_and(|label| !label.is_piece) {
            table.parts -= 1;
        }
    }
}

/// Runs a future that belongs to no actor: the system's own timers, and the first start of a tree.
pub(crate) fn spawn_unowned<T: Send + 'static>(
    runtime: &Handle,
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    runtime.spawn(future)
}

/// Awaits `future`, with a panic as a value; every poll counts as one piece of work in `meter`.
pub(crate) async fn caught<T>(future: impl Future<Output = T>, meter: &Meter) -> Result<T, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let _busy = meter.start(1);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => Poll::Ready(Err(panic_text(&*payload))),
        }
    })
    .await
}

/// How often something that may go on and on is done on one thread before others run.
const STEPS: u32 = 512;

thread_local! {
    static DONE: Cell<u32> = const { Cell::new(0) };
}

/// Counts one step of something that may go on and on. True if others are to run now.
#[inline]
pub(crate) fn is_pause_due() -> bool {
    let done = DONE.get() + 1;
    DONE.set(done % STEPS);
    done == STEPS
}

/// Lets others run; without a look at what the kernel has, which whoever runs tasks does anyway.
pub(crate) async fn pause() {
    let mut has_paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What `work` gives, with a panic as a value.
pub(crate) fn barrier<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panic_text(&*payload))
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

/// The guard of a mutex, even if a holder panicked: our critical sections leave nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
