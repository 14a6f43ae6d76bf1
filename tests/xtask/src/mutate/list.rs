//! What is broken, and which test must see it.
//!
//! Way in: [`MUTATIONS`].

/// One line of the code, broken.
pub(super) struct Mutation {
    /// The guarantee that does not hold any more.
    pub(super) breaks: &'static str,
    pub(super) file: &'static str,
    /// It is there exactly once.
    pub(super) search: &'static str,
    pub(super) replace: &'static str,
    pub(super) test: TestOf,
}

/// A test, as `SEMANTICS.md` names it.
pub(super) struct TestOf {
    /// `core` or `runtime`.
    pub(super) room: &'static str,
    pub(super) name: &'static str,
    /// Whether it is inside the crate, not behind its public surface.
    pub(super) is_inside: bool,
}

const fn core(name: &'static str) -> TestOf {
    TestOf { room: "core", name, is_inside: true }
}

const fn runtime(name: &'static str) -> TestOf {
    TestOf { room: "runtime", name, is_inside: false }
}

pub(super) const MUTATIONS: [Mutation; 15] = [
    Mutation {
        breaks: "children stop in the reverse order of their starts",
        file: "actors/actors-core/src/supervise/machine.rs",
        search: "self.children.last_key_value()",
        replace: "self.children.first_key_value()",
        test: core("supervise::otp::every_run_is_the_one_that_otp_documents"),
    },
    Mutation {
        breaks: "a kill by an operator is not counted",
        file: "actors/actors-core/src/supervise/machine.rs",
        search: "if *exit.reason == ExitReason::Killed {",
        replace: "if *exit.reason == ExitReason::Normal {",
        test: core("supervise::tests::an_operators_kills_never_count"),
    },
    Mutation {
        breaks: "a back-off doubles",
        file: "actors/actors-core/src/spec.rs",
        search: "saturating_mul(1 << doublings)",
        replace: "saturating_mul(1 + doublings)",
        test: core("spec::tests::back_off_doubles_up_to_its_maximum_within_its_jitter"),
    },
    Mutation {
        breaks: "supervisors that could storm together are refused",
        file: "actors/actors-core/src/spec.rs",
        search: "product.saturating_mul(",
        replace: "product.saturating_add(",
        test: core("spec::tests::supervisors_that_could_storm_together_are_refused"),
    },
    Mutation {
        breaks: "a full mailbox sheds its oldest message",
        file: "actors/actors-runtime/src/mailbox.rs",
        search: "queue.told.pop_front()",
        replace: "queue.told.pop_back()",
        test: runtime("mailboxes::a_full_mailbox_sheds_its_oldest_message_as_a_dead_letter"),
    },
    Mutation {
        breaks: "an actor that drains handles what waits before it stops",
        file: "actors/actors-runtime/src/mailbox.rs",
        search: "let is_due = !self.drains ||",
        replace: "let is_due = self.drains ||",
        test: runtime("mailboxes::an_actor_that_drains_handles_what_waits_and_takes_nothing_new"),
    },
    Mutation {
        breaks: "a key's own events go ahead of what others sent",
        file: "actors/actors-runtime/src/slab/record.rs",
        search: "self.queue.insert(self.own_len(), event);\n        self.own += 1;",
        replace: "self.queue.push_back(event);\n        self.own += 1;",
        test: runtime("slabs::a_keys_own_events_and_its_end_go_ahead_of_what_others_sent"),
    },
    Mutation {
        breaks: "a key that failed too often is parked",
        file: "actors/actors-runtime/src/slab/pool.rs",
        search: "if record.hold == Hold::Parked {",
        replace: "if record.hold == Hold::Waiting {",
        test: runtime("slabs::a_poisoned_key_is_parked_alone_until_it_is_unparked"),
    },
    Mutation {
        breaks: "every end is told to whoever monitors it",
        file: "actors/actors-runtime/src/monitor.rs",
        search: "waiting.into_values().for_each(",
        replace: "waiting.into_values().skip(1).for_each(",
        test: runtime("monitors::every_end_is_told_with_its_reason_and_life"),
    },
    Mutation {
        breaks: "two lives of one actor never overlap",
        file: "actors/actors-runtime/src/driver.rs",
        search: "let _share: Arc<Death> = share;\n            let _entered",
        replace: "drop::<Arc<Death>>(share);\n            let _entered",
        test: runtime("hosts::the_next_life_waits_for_the_blocking_work_of_the_last"),
    },
    Mutation {
        breaks: "a question ends with the actor",
        file: "actors/actors-runtime/src/asks.rs",
        search: "seat.state = State::Done(Err(AskError::Ended));",
        replace: "",
        test: runtime("hosts::a_question_is_answered_or_ends"),
    },
    Mutation {
        breaks: "a killed supervisor takes its children along",
        file: "actors/actors-runtime/src/supervisor.rs",
        search: "slots.iter().filter_map(|slot| slot.current())",
        replace: "slots.iter().take(0).filter_map(|slot| slot.current())",
        test: runtime(
            "supervision::a_killed_supervisor_takes_its_children_along_and_brings_them_back",
        ),
    },
    Mutation {
        breaks: "a handler that takes long holds up its own key only",
        file: "actors/actors-runtime/src/slab/watch.rs",
        search: "if taken >= PATIENCE && seen.work_waits {",
        replace: "if taken >= PATIENCE && seen.is_run && seen.now == Mono(0) {",
        test: runtime("slow::others_go_on_while_one_key_hangs_and_then_another"),
    },
    Mutation {
        breaks: "a key that is slow to wake or to begin its effects holds up itself only",
        file: "actors/actors-runtime/src/slab/work.rs",
        search: "        self.body = None;\n",
        replace: "",
        test: runtime(
            "slow::others_go_on_while_one_key_is_slow_to_wake_and_others_to_begin_effects",
        ),
    },
    Mutation {
        breaks: "a failure of one linked life ends the other, and a clean end does not",
        file: "actors/actors-runtime/src/link.rs",
        search: "if down.reason.is_clean() {",
        replace: "if !down.reason.is_clean() {",
        test: runtime("links::a_failure_takes_along_whoever_is_linked_actors_and_keys_alike"),
    },
];
