//! The driver of the machine of membership, and who hears peers for it.
//!
//! Way in: [`child`], [`serve`].  Never: a decision.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use actors_runtime::{Child, Driver, Failure, Inbox, Start};
use bytes::Bytes;
use mesh_member::{MemberEffect, MemberEvent, MembershipMachine, Verdict};
use mesh_quic::{Handler, Lane, Peer, Service, Traffic};

use crate::{
    letters,
    shared::{Shared, lock},
};

/// The machine on an actor of its own.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::machine(move |start| {
        let built = build(&shared, &start);
        async move { Ok::<_, Failure>(built) }
    })
}

fn build(
    shared: &Arc<Shared>,
    start: &Start<Inbox<MemberEvent>>,
) -> (MembershipMachine, MemberDriver) {
    let wanted = lock(&shared.wanted).clone();
    let book = lock(&shared.book).clone();
    let mut info = wanted.info;
    info.started = info.started.max(book.started);
    let view = shared.view.borrow().clone();
    if let Some(own) = view.iter().find(|member| member.info.node == info.node) {
        // An earlier life of the machine, in the same process, said this already.
        info.started = info.started.max(own.info.started);
        info.revision = own.info.revision + 1;
    }
    shared.machine.set(start.inbox.exact());
    start.inbox.send(MemberEvent::Tick);
    start.inbox.send(MemberEvent::Known(book.peers.into_values().collect()));
    if let Some(voters) = wanted.voters {
        start.inbox.send(MemberEvent::Voters(voters));
    }
    let driver = MemberDriver { shared: Arc::clone(shared), probed: BTreeMap::new() };
    (MembershipMachine::new(info), driver)
}

struct MemberDriver {
    shared: Arc<Shared>,
    /// How much had come from each peer that was probed.
    probed: BTreeMap<String, Traffic>,
}

impl MemberDriver {
    fn probe(&mut self, peer: String, begins: bool, inbox: &Inbox<MemberEvent>) {
        let Some(link) = self.shared.mesh.link(&peer) else { return };
        if self.probed.len() >= MembershipMachine::KNOWN_MAX {
            self.probed.clear();
        }
        let before = self.probed.insert(peer.clone(), link.received);
        if !begins && before.is_some_and(|before| before != link.received) {
            inbox.send(MemberEvent::Stirred { peer });
        }
    }
}

impl Driver<MembershipMachine> for MemberDriver {
    type Guard = &'static ();

    fn view(&self) -> &'static () {
        &()
    }

    fn submit(&mut self, effect: MemberEffect, inbox: &Inbox<MemberEvent>) {
        match effect {
            MemberEffect::Carrier(command) => self.shared.carrier.command(command),
            MemberEffect::Send { to, message } => {
                let Some(body) = letters::write(&message) else { return };
                let sent = self.shared.mesh.tell(&to, Lane::Control, Service::MEMBER, body);
                if let Err(error) = sent {
                    tracing::trace!(%error, "a message of membership was not sent");
                }
            }
            MemberEffect::Wake { at } => inbox.send_at(at, MemberEvent::Tick),
            MemberEffect::Probe { peer, begins } => self.probe(peer, begins, inbox),
            MemberEffect::Publish(view) => drop(self.shared.view.send_replace(Arc::new(view))),
            MemberEffect::Verdict(verdict) => {
                report(&verdict);
                // An error means that nobody listens, which is allowed.
                drop(self.shared.verdicts.send(verdict));
            }
        }
    }

    fn settled(&mut self, machine: &MembershipMachine) {
        let mut heard = lock(&self.shared.heard);
        for (node, at) in machine.heard().filter_map(|(node, at)| Some((node, at?))) {
            if let Some(known) = heard.get_mut(node) {
                *known = at;
                continue;
            }
            if heard.len() >= 2 * MembershipMachine::KNOWN_MAX {
                heard.clear();
            }
            heard.insert(node.to_owned(), at);
        }
    }
}

fn report(verdict: &Verdict) {
    let Verdict { node, by, state, .. } = verdict;
    if state.is_dead() {
        let evidence: Vec<String> = state.evidence().iter().map(ToString::to_string).collect();
        tracing::warn!(node, by, evidence = evidence.join("; "), "a node is dead");
    } else {
        tracing::warn!(node, by, "a node is back");
    }
}

/// Hears messages of members and frames of gossip.
pub(crate) fn serve(shared: &Arc<Shared>) {
    // The mesh holds its handlers, and what is shared holds the mesh.
    shared.mesh.serve(Service::MEMBER, Arc::new(MemberEar(Arc::downgrade(shared))));
    shared.mesh.serve(Service::GOSSIP, Arc::new(GossipEar(Arc::downgrade(shared))));
}

struct MemberEar(Weak<Shared>);

impl Handler for MemberEar {
    fn tell(&self, from: &Peer, body: Bytes) {
        let Some(shared) = self.0.upgrade() else { return };
        match letters::read(&body) {
            Ok(message) => {
                let (from, role) = (from.node.clone(), from.role);
                shared.machine.tell(MemberEvent::Message { from, role, message });
            }
            Err(error) => tracing::debug!(%from, %error, "a message was dropped"),
        }
    }
}

struct GossipEar(Weak<Shared>);

impl Handler for GossipEar {
    fn tell(&self, from: &Peer, body: Bytes) {
        if let Some(shared) = self.0.upgrade() {
            shared.carrier.receive(&from.node, body);
        }
    }
}
