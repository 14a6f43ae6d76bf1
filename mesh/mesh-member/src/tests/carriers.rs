//! The seeded carrier keeps the promises of carriers.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Effects, Machine, Turn};
use actors_sim::{Cut, Fault, Host, NodeClock, NodeId, Sim, World};

use crate::{
    CarrierCommand, CarrierEvent, MemberInfo, MembershipMachine, SeededCarrier, SeededEffect,
    SeededEvent,
    suite::{CarrierField, Told, check_all},
};

#[derive(Default)]
struct Carriers {
    names: Vec<String>,
    /// What each node's next life begins with.
    next: BTreeMap<u32, (MemberInfo, Vec<String>)>,
    running: BTreeMap<u32, SeededCarrier>,
    told: Told,
}

impl World for Carriers {
    type Event = SeededEvent;
    type Effect = SeededEffect;

    fn start(&mut self, node: NodeId, host: &mut Host<'_, SeededEvent>) {
        let (info, seeds) = self.next[&node.0].clone();
        self.told.insert(info.node.clone(), BTreeMap::new());
        self.running.insert(node.0, SeededCarrier::new(&info.node, seeds));
        let now = host.now().mono;
        host.at(now, SeededEvent::Command(CarrierCommand::Publish(info)));
        host.at(now, SeededEvent::Tick);
    }

    fn crash(&mut self, node: NodeId) {
        self.running.remove(&node.0);
        self.told.remove(&self.names[node.0 as usize]);
    }

    fn deliver(
        &mut self,
        node: NodeId,
        event: SeededEvent,
        turn: Turn<'_>,
        out: &mut Effects<SeededEffect>,
    ) {
        if let Some(carrier) = self.running.get_mut(&node.0) {
            carrier.handle(turn, event, out);
            carrier.assert_invariants();
        }
    }

    fn carry_out(&mut self, node: NodeId, effect: SeededEffect, host: &mut Host<'_, SeededEvent>) {
        let from = self.names[node.0 as usize].clone();
        match effect {
            SeededEffect::Event(CarrierEvent::Info(info)) => {
                self.told.entry(from).or_default().insert(info.node.clone(), info);
            }
            SeededEffect::Event(CarrierEvent::Full { .. }) => {}
            SeededEffect::Send { to, message } => {
                if let Some(place) = self.names.iter().position(|name| *name == to) {
                    let to = NodeId(u32::try_from(place).unwrap());
                    host.send(to, SeededEvent::Message { from, message });
                }
            }
            SeededEffect::Wake { at } => host.at(at, SeededEvent::Tick),
        }
    }
}

struct SeededField(Sim<Carriers>);

impl SeededField {
    fn id(&self, node: &str) -> NodeId {
        let place = self.0.world.names.iter().position(|name| name == node).unwrap();
        NodeId(u32::try_from(place).unwrap())
    }
}

impl CarrierField for SeededField {
    fn start(&mut self, info: MemberInfo, seeds: &[&str]) {
        let node = info.node.clone();
        let seeds = seeds.iter().map(|seed| (*seed).to_owned()).collect();
        if self.0.world.names.contains(&node) {
            let id = self.id(&node);
            self.0.inject(Fault::Crash(id));
            self.0.world.next.insert(id.0, (info, seeds));
            self.0.inject(Fault::Start(id));
        } else {
            let id = u32::try_from(self.0.world.names.len()).unwrap();
            self.0.world.names.push(node);
            self.0.world.next.insert(id, (info, seeds));
            self.0.add_node(NodeClock::default());
        }
    }

    fn stop(&mut self, node: &str) {
        self.0.inject(Fault::Crash(self.id(node)));
    }

    fn command(&mut self, node: &str, command: CarrierCommand) {
        let (time, id) = (self.0.time(), self.id(node));
        if let CarrierCommand::Forget { node: gone, .. } = &command {
            self.0.world.told.get_mut(node).unwrap().remove(gone);
        }
        self.0.tell(time, id, SeededEvent::Command(command));
    }

    fn cut(&mut self, one: &str, other: &str) {
        let cut = Cut::between(format!("{one} {other}"), vec![self.id(one)], vec![self.id(other)]);
        self.0.inject(Fault::Cut(cut));
    }

    fn heal(&mut self) {
        self.0.inject(Fault::HealAll);
    }

    fn run_until(&mut self, within: Duration, is_done: &dyn Fn(&Told) -> bool) -> bool {
        self.0.run_until(within, |world| is_done(&world.told))
    }
}

#[test]
fn the_seeded_carrier_keeps_its_promises() {
    for seed in 0..20 {
        check_all(|| {
            let mut sim = Sim::new(seed, Carriers::default(), 0);
            sim.inject(Fault::Net(super::cell::BAD));
            SeededField(sim)
        });
    }
}

#[test]
fn a_carrier_knows_no_more_than_a_mesh_may_have() {
    let mut carrier = SeededCarrier::new("me", []);
    let mut out = Effects::default();
    let infos = (0..300)
        .map(|n| MemberInfo::new(format!("n{n:03}"), mesh_wire::Role::Agent, super::cell::EPOCH));
    let message = crate::SeededMessage::Infos(infos.collect());
    let event = SeededEvent::Message { from: "n000".into(), message };
    let mut rng = actors_core::Rng::from_number(1);
    let turn = Turn { now: actors_core::Now::default(), rng: &mut rng, view: &() };
    carrier.handle(turn, event, &mut out);
    carrier.assert_invariants();
    assert_eq!(carrier.known().len(), MembershipMachine::KNOWN_MAX);
    let full = SeededEffect::Event(CarrierEvent::Full { known: 256 });
    assert_eq!(out.as_slice().last(), Some(&full));
}
