//! The service host: a long-lived asynchronous body (a server, a pump) as a supervised actor.
//!
//! Way in: [`Service`].  Owns: the body's future.  Never: a decision of the domain.
//! Time and order: asked to stop, the body sees [`Service::stopping`]; when its time is over it is
//! dropped.

use std::{future::Future, pin::Pin, sync::Arc};

use actors_core::{ExitReason, Incarnation, Rng, SupervisorNotice};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::{
    child::Failure,
    life::{Birth, Life},
    part::{Label, PartError, PartSpec},
    system::System,
    task::{SpawnRefused, caught},
};

/// What the body of a service is given.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) system: System,
    pub(crate) life: Arc<Life>,
}

impl Service {
    /// The system that it runs in.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Names from the root on, joined by `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.life.slot.path
    }

    /// Which of its lives this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.life.incarnation
    }

    /// Randomness of its own, different in each life.
    #[must_use]
    pub fn rng(&self) -> Rng {
        self.system.rng_of("service")
    }

    /// Resolves when the service is asked to stop. It then has its `shutdown` time to return.
    pub async fn stopping(&self) {
        self.life.stopping().await;
    }

    /// Whether the service was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.life.is_stopping()
    }

    /// Runs a part that is listed in the tree and can be killed alone. If it panics, it ends alone,
    /// and a notice says so.
    ///
    /// # Errors
    /// [`PartError`]: the service is ending, or runs as many as it may.
    pub fn spawn_part(
        &self,
        spec: PartSpec,
        part: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), PartError> {
        let path = || self.path().to_owned();
        let share = self.life.share().ok_or_else(|| PartError::Ending { path: path() })?;
        let (system, service) = (self.system.clone(), Arc::clone(&self.life.slot));
        let label = Arc::new(Label::new(spec));
        let run = {
            let label = Arc::clone(&label);
            move |number| async move {
                let _share = share;
                let work = async {
                    tokio::select! {
                        biased;
                        fault = label.fault() => fault.raise(),
                        () = part => ExitReason::Normal,
                    }
                };
                let reason = caught(work, &label.meter).await.unwrap_or_else(ExitReason::Panic);
                if reason != ExitReason::Normal {
                    let name = label.file_name(number);
                    let path = format!("{}/{name}", service.path);
                    system.notify(&path, SupervisorNotice::Ended { name, reason });
                }
            }
        };
        let max = self.life.tasks.parts_max();
        self.life.tasks.spawn_labelled(&label, run).map_err(|refused| match refused {
            SpawnRefused::Full => PartError::Full { path: path(), max },
            SpawnRefused::Closed => PartError::Ending { path: path() },
        })
    }

    /// Sets how many parts this life may run at a time, from now on; 10,000 if nobody says.
    pub fn limit_parts(&self, max: usize) {
        self.life.tasks.limit_parts(max);
    }

    /// Runs a piece of the service beside its body, such as a pump that the body needs. It is listed
    /// like a part and dropped with the service; whatever ends it from outside, or its panic, ends the
    /// whole service. What serves somebody is better a [`Service::spawn_part`].
    ///
    /// # Errors
    /// The service is ending, or runs 65,536 pieces already.
    pub fn spawn(
        &self,
        name: impl Into<String>,
        piece: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), SpawnError> {
        let share = self.life.share().ok_or(SpawnError)?;
        let life = Arc::clone(&self.life);
        let label = Arc::new(Label::of_piece(name.into()));
        let run = {
            let label = Arc::clone(&label);
            move |_| async move {
                let _share = share;
                if let Err(text) = caught(piece, &label.meter).await {
                    // The body runs inside one message, which only a kill interrupts.
                    life.fail(ExitReason::Panic(text));
                }
            }
        };
        self.life.tasks.spawn_labelled(&label, run).map_err(|_| SpawnError)
    }
}

/// Why a part of a service was not started. The caller gives up, or tries when others have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is ending or runs too many parts")]
pub struct SpawnError;

pub(crate) type Body = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

pub(crate) struct Host;

/// Everything of one life of a service.
pub(crate) struct Running {
    body: Option<Body>,
    /// Dropped last: its end is the life's.
    birth: Birth,
}

impl Running {
    pub(crate) fn new(body: Body, birth: Birth) -> Self {
        Self { body: Some(body), birth }
    }
}

/// Runs the body.
pub(crate) struct Run;

impl Actor for Host {
    type Msg = Run;
    type State = Running;
    type Arguments = Running;

    async fn pre_start(
        &self,
        myself: ActorRef<Run>,
        running: Running,
    ) -> Result<Running, ActorProcessingErr> {
        running.birth.life.attach(myself.get_cell());
        myself.send_message(Run)?;
        Ok(running)
    }

    async fn handle(
        &self,
        myself: ActorRef<Run>,
        _run: Run,
        running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        let Some(body) = running.body.take() else { return Ok(()) };
        let life = &running.birth.life;
        let work = async {
            tokio::select! {
                biased;
                fault = life.fault() => Err(fault.raise()),
                done = body => Ok(done),
            }
        };
        let reason = match caught(work, &life.meter).await {
            Ok(Ok(Ok(()))) if life.is_stopping() => ExitReason::Shutdown,
            Ok(Ok(Ok(()))) => ExitReason::Normal,
            Ok(Ok(Err(failure))) => ExitReason::Error(failure.to_string()),
            Ok(Err(asked_for)) => asked_for,
            Err(text) => ExitReason::Panic(text),
        };
        life.set_exit(reason);
        myself.stop(None);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Run>,
        _event: SupervisionEvent,
        _running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
