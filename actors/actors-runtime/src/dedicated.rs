//! The dedicated host: one ractor actor runs one machine with its driver.
//!
//! Way in: [`start`].  Owns: the machine, its driver, its randomness.
//! Time and order: events one at a time; the effects of one are submitted before the next is
//! handled. After [`BATCH_MAX`] events the actor lets others run, so a kill never waits longer than
//! that. Told messages are taken in batches; whatever goes ahead of them puts the rest back.

use std::{
    collections::VecDeque,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actors_core::{Effects, ExitReason, Machine, Now, Rng, Turn};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::{
    clock::Clock,
    driver::{Driver, Inbox},
    life::Birth,
    mailbox::{Mailbox, Next, Wake},
    observer::DeadReason,
    task::panic_text,
    trace::Letter,
};

/// How many events are handled before the actor lets others run.
const BATCH_MAX: usize = 256;

/// How many events are measured together, as long as they are quick.
const CHUNK_MAX: usize = 8;

/// What that many may take together before each is measured alone.
const SLOW: Duration = Duration::from_micros(200);

/// How far a host has come.
enum Ran {
    /// Nothing waits.
    All,
    /// Others may run first.
    Enough,
}

/// Everything of one life of one machine.
pub(crate) struct Dedicated<M: Machine, D> {
    pub(crate) machine: M,
    pub(crate) driver: D,
    pub(crate) inbox: Inbox<M::Event>,
    pub(crate) rng: Rng,
    pub(crate) out: Effects<M::Effect>,
    pub(crate) batch: Batch<M::Event>,
    /// Dropped last: its end is the life's.
    pub(crate) birth: Birth,
}

/// What was taken from the mailbox and not handled.
pub(crate) struct Batch<E> {
    events: VecDeque<Letter<E>>,
    /// How much the next one may hold: grows until something goes ahead of one.
    len: usize,
}

impl<E> Default for Batch<E> {
    fn default() -> Self {
        Self { events: VecDeque::new(), len: 1 }
    }
}

struct Host<M, D>(PhantomData<fn() -> (M, D)>);

/// Runs a machine as a ractor actor.
pub(crate) async fn start<M, D>(body: Dedicated<M, D>) -> Result<(), ractor::SpawnErr>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
    M::Effect: Send,
{
    // It is passed on often until it runs.
    spawn_actor(Host::<M, D>(PhantomData), Box::new(body)).await
}

/// Spawns any ractor actor: without a name, for names would be shared by all systems of the process,
/// and without a link, for lives report their own ends.
pub(crate) async fn spawn_actor<A: Actor>(
    actor: A,
    body: A::Arguments,
) -> Result<(), ractor::SpawnErr> {
    Actor::spawn(None, actor, body).await.map(drop)
}

impl<M, D> Actor for Host<M, D>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
    M::Effect: Send,
{
    type Msg = Wake;
    type State = Box<Dedicated<M, D>>;
    type Arguments = Box<Dedicated<M, D>>;

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        body: Box<Dedicated<M, D>>,
    ) -> Result<Box<Dedicated<M, D>>, ActorProcessingErr> {
        body.birth.life.attach(myself.get_cell());
        myself.send_message(Wake)?;
        Ok(body)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Wake>,
        _wake: Wake,
        body: &mut Box<Dedicated<M, D>>,
    ) -> Result<(), ActorProcessingErr> {
        // One endless turn: what waits for it costs the actor no message of its own. A kill drops it.
        while !body.birth.life.is_ending() {
            let ran = body.run();
            body.birth.life.meter.rest();
            match ran? {
                Ran::All => body.inbox.mailbox.woken().await,
                Ran::Enough => tokio::task::yield_now().await,
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Wake>,
        _event: SupervisionEvent,
        _body: &mut Box<Dedicated<M, D>>,
    ) -> Result<(), ActorProcessingErr> {
        // Ends come by the lives' own reports, which wait for the whole subtree.
        Ok(())
    }
}

impl<M, D> Dedicated<M, D>
where
    M: Machine + Send + 'static,
    D: Driver<M>,
    M::Event: Send,
{
    fn run(&mut self) -> Result<Ran, ActorProcessingErr> {
        let mailbox = Arc::clone(&self.inbox.mailbox);
        let mut handled = 0;
        while handled < BATCH_MAX {
            if self.birth.life.is_ending() {
                return Ok(Ran::Enough);
            }
            let max = self.batch.len.min(BATCH_MAX - handled);
            let next = mailbox.next(&mut self.batch.events, max);
            handled += self.batch.events.len().max(1);
            if let Next::Idle = next {
                return Ok(Ran::All);
            }
            let began = Clock.now();
            self.birth.life.meter.begin(began.mono);
            let result = match next {
                Next::Idle => return Ok(Ran::All),
                Next::Fault(fault) => self.barrier(|body| body.inbox.end(fault.raise())),
                Next::Stop => self.barrier(|body| body.driver.stop(&body.inbox)),
                Next::Event(event) => self.guarded_turn(began, event),
                Next::Batch => {
                    self.run_batch(&mailbox, began)?;
                    continue;
                }
            };
            let busy = Clock.mono().since(began.mono);
            self.birth.life.meter.add(1, busy);
            self.birth.life.meter.note(busy);
            result?;
        }
        Ok(Ran::Enough)
    }

    /// Handles what was taken; gives back the rest if something goes ahead of it.
    fn run_batch(&mut self, mailbox: &Mailbox<M::Event>, began: Now) -> Result<(), String> {
        let (mut now, mut since, mut chunk, mut handled) = (began, 0, CHUNK_MAX, 0);
        let result = loop {
            let Some(event) = self.batch.events.pop_front() else { break Ok(()) };
            let turn = self.guarded_turn(now, event);
            (handled, since) = (handled + 1, since + 1);
            if turn.is_err() || mailbox.is_urgent() || self.birth.life.is_ending() {
                break turn;
            }
            if since >= chunk {
                let then = Clock.now();
                let busy = then.mono.since(now.mono);
                self.birth.life.meter.note(busy);
                self.birth.life.meter.begin(then.mono);
                // Slow events are told the time one by one, quick ones together.
                chunk = if busy > SLOW { 1 } else { CHUNK_MAX };
                (now, since) = (then, 0);
            }
        };
        let is_whole = self.batch.events.is_empty();
        self.batch.len = if is_whole { (self.batch.len * 2).min(BATCH_MAX) } else { 1 };
        mailbox.settle(handled, &mut self.batch.events);
        let then = Clock.mono();
        self.birth.life.meter.add(handled as u64, then.since(began.mono));
        self.birth.life.meter.note(then.since(now.mono));
        result
    }

    fn guarded_turn(&mut self, now: Now, letter: Letter<M::Event>) -> Result<(), String> {
        let Letter { event, trace } = letter;
        let _entered = trace.enter();
        let result = self.barrier(|body| body.turn(now, event));
        if result.is_err() {
            self.inbox.mailbox.bury(DeadReason::Poison, trace);
        }
        result
    }

    /// A panic is the end of this life.
    fn barrier(&mut self, work: impl FnOnce(&mut Self)) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| work(self))).map_err(|payload| {
            let text = panic_text(&*payload);
            self.birth.life.set_exit(ExitReason::Panic(text.clone()));
            text
        })
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
