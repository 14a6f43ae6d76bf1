//! The dedicated host: one ractor actor runs one machine with its driver.
//!
//! Way in: [`start`].  Owns: the machine, its driver, its randomness.
//! Time and order: events one at a time; the effects of one are submitted before the next is
//! handled. After [`BATCH_MAX`] events the actor looks at its other ports, so a kill never waits
//! longer than that.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actors_core::{Effects, ExitReason, Machine, Now, Rng, Turn};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::{
    clock::Clock,
    driver::{Driver, Inbox},
    life::Birth,
    mailbox::{Next, Wake},
    observer::DeadReason,
    task::panic_text,
};

/// How many events are handled before the actor looks at its other ports.
const BATCH_MAX: usize = 256;

/// Everything of one life of one machine.
pub(crate) struct Dedicated<M: Machine, D> {
    pub(crate) machine: M,
    pub(crate) driver: D,
    pub(crate) inbox: Inbox<M::Event>,
    pub(crate) rng: Rng,
    pub(crate) out: Effects<M::Effect>,
    /// Dropped last: its end is the life's.
    pub(crate) birth: Birth,
}

struct Host<M, D>(PhantomData<fn() -> (M, D)>);

/// Runs a machine as a ractor actor, linked to its supervisor's.
pub(crate) async fn start<M, D>(body: Dedicated<M, D>) -> Result<(), ractor::SpawnErr>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
    M::Effect: Send,
{
    spawn_actor(Host::<M, D>(PhantomData), body.birth.parent.clone(), body).await
}

/// Spawns any ractor actor without a name: names would be shared by all systems of the process.
pub(crate) async fn spawn_actor<A: Actor>(
    actor: A,
    parent: Option<ActorCell>,
    body: A::Arguments,
) -> Result<(), ractor::SpawnErr> {
    match parent {
        Some(parent) => Actor::spawn_linked(None, actor, body, parent).await.map(drop),
        None => Actor::spawn(None, actor, body).await.map(drop),
    }
}

impl<M, D> Actor for Host<M, D>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
    M::Effect: Send,
{
    type Msg = Wake;
    type State = Dedicated<M, D>;
    type Arguments = Dedicated<M, D>;

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        body: Dedicated<M, D>,
    ) -> Result<Dedicated<M, D>, ActorProcessingErr> {
        body.birth.life.attach(myself.get_cell());
        body.inbox.mailbox.attach(myself);
        Ok(body)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Wake>,
        _wake: Wake,
        body: &mut Dedicated<M, D>,
    ) -> Result<(), ActorProcessingErr> {
        body.run()
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Wake>,
        _event: SupervisionEvent,
        _body: &mut Dedicated<M, D>,
    ) -> Result<(), ActorProcessingErr> {
        // Ends of children come by their own reports, which wait for the whole subtree.
        Ok(())
    }
}

impl<M, D> Dedicated<M, D>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
{
    fn run(&mut self) -> Result<(), ActorProcessingErr> {
        let mailbox = Arc::clone(&self.inbox.mailbox);
        let mut now = Clock.now();
        for _ in 0..BATCH_MAX {
            if self.birth.life.is_ending() {
                return Ok(());
            }
            let next = mailbox.next();
            let took_event = matches!(next, Next::Event(_));
            let handled = match next {
                Next::Idle => return Ok(()),
                Next::Fault(fault) => self.barrier(|body| body.inbox.end(fault.raise())),
                Next::Stop => self.barrier(|body| body.driver.stop(&body.inbox)),
                Next::Event(event) => self.barrier(|body| body.turn(now, event)),
            };
            let then = Clock.now();
            self.birth.life.meter.add(1, then.mono.since(now.mono));
            now = then;
            if let Err(text) = handled {
                if took_event {
                    mailbox.bury(DeadReason::Poison);
                }
                self.birth.life.set_exit(ExitReason::Panic(text.clone()));
                return Err(text.into());
            }
        }
        mailbox.wake_again();
        Ok(())
    }

    fn barrier(&mut self, work: impl FnOnce(&mut Self)) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| work(self))).map_err(|payload| panic_text(&*payload))
    }

    fn turn(&mut self, now: Now, event: M::Event) {
        let view = self.driver.view();
        let turn = Turn { now, rng: &mut self.rng, view: &*view };
        self.machine.handle(turn, event, &mut self.out);
        drop(view);
        if cfg!(debug_assertions) {
            self.machine.assert_invariants();
        }
        for effect in self.out.drain() {
            self.driver.submit(effect, &self.inbox);
        }
        self.driver.settled(&self.machine);
    }
}
