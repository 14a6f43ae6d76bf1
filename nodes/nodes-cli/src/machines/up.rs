//! `starling up --servers N --agents M`: several machines of one host, each with a network namespace and a control
//! group of its own, and the forwarder before them.
//!
//! Way in: [`run`].  Time and order: the record is written before anything is made, so that `down` finds what an
//! interrupted `up` left; the first server is initialised, all others join it at the same time, as real machines do.

use std::{sync::mpsc::sync_channel, thread, time::Duration};

use nix::poll::{PollTimeout, poll};
use nodes_machines::{MachinePlan, MachineRecord, Plan, PlanError, Role, group, network};
use nodes_pki::{BootstrapToken, TokenOptions};
use serde_json::json;

use super::{Newcomer, joining, mesh, token};
use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, Records,
    arguments::{Part, UpOptions},
    client::Client,
    down::stop,
    launch::{Launch, spawn_guardian},
    operator::{has_operator_keys, take_operator_keys},
    preflight, processes,
    record::NewCluster,
    up::{new_uid, server_of, unusable, write_kubeconfig},
};

/// How long the token is good by which the machines of one `up` join; it is revoked at the end.
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// How often it is asked who votes, and the pause between: half a minute in all.
const VOTE_ASKS_MAX: u32 = 600;
const VOTE_ASK_EVERY_MS: u16 = 50;

/// What a server says when it can be asked to let others in.
const SERVES: &str = "the API serves";

pub(crate) fn run(
    arguments: &Arguments,
    options: &UpOptions,
    caller: &mut Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    if !caller.place.is_root {
        return Err(Failure::new(
            "several machines on one host need root: only root can make network namespaces and control groups",
        )
        .next("sudo starling up --servers 3 --agents 2   (or: starling up, for one machine)"));
    }
    let record = open_record(arguments, options, caller)?;
    preflight::check_alone(&record)?;
    let plan = record.plan();
    let cluster = Cluster { record: &record, plan: &plan, output };
    if !record.is_hosted() {
        return cluster.restart_real(caller, options);
    }
    preflight::check_machines(&record, &plan)?;
    network::lay(&plan).map_err(|error| Failure::of(&error))?;
    let (known, new): (Vec<&MachinePlan>, Vec<&MachinePlan>) =
        plan.machines.iter().partition(|machine| machine.record_path().is_file());
    let token = BootstrapToken::generate(&mut caller.rng);
    cluster.bring_up(known, new, &token, caller)?;
    if !options.no_kubeconfig {
        write_kubeconfig(&record, caller)?;
    }
    cluster.answer()
}

/// One cluster of machines on this host, while it comes up.
struct Cluster<'a> {
    record: &'a ClusterRecord,
    plan: &'a Plan,
    output: &'a Output,
}

impl Cluster<'_> {
    /// Starts the machines that were there, makes the first if there is none, and lets the new ones join.
    fn bring_up<'p>(
        &self,
        mut known: Vec<&'p MachinePlan>,
        mut new: Vec<&'p MachinePlan>,
        token: &BootstrapToken,
        caller: &Caller<'_>,
    ) -> Result<(), Failure> {
        if !known.iter().any(|machine| machine.role == Role::Server) {
            known.push(self.found(&mut new)?);
        }
        let (say, hear) = sync_channel::<()>(self.plan.machines.len() + 1);
        thread::scope(|scope| {
            let mut started = Vec::new();
            for machine in &known {
                let say = say.clone();
                let on_step = move |step: &str| {
                    if step == SERVES {
                        // Who listened has heard it from another server already.
                        let _heard = say.try_send(());
                    }
                };
                started.push(scope.spawn(|| self.power_on(machine, on_step)));
            }
            drop(say);
            // An end without a word is a server that failed; the joins will tell.
            let _failed = hear.recv();
            let joined = self.let_in(&new, token, caller);
            let started: Result<(), Failure> = started.into_iter().try_for_each(end);
            started.and(joined)
        })
    }

    /// Chooses the machine that begins the cluster and writes what it has to know.
    fn found<'p>(&self, new: &mut Vec<&'p MachinePlan>) -> Result<&'p MachinePlan, Failure> {
        let at = new.iter().position(|machine| machine.role == Role::Server);
        let first = at.map(|at| new.remove(at)).ok_or_else(|| Failure::of(&PlanError::NoServer))?;
        let newcomer = self.newcomer(first)?;
        newcomer.first().write(&first.record_path()).map_err(|error| Failure::of(&error))?;
        Ok(first)
    }

    fn newcomer<'p>(&'p self, plan: &'p MachinePlan) -> Result<Newcomer<'p>, Failure> {
        let segment = plan.segment.as_ref();
        let segment = segment.ok_or_else(|| Failure::new(format!("{} is real", plan.node)))?;
        Ok(Newcomer {
            cluster: self.record,
            plan,
            address: segment.address,
            api_port: nodes_machines::API_PORT,
            api_names: &[],
            tainted: self.plan.machines.iter().any(|machine| machine.role == Role::Agent),
        })
    }

    /// Admits all new machines at once, under one token that ends with this.
    fn let_in(
        &self,
        new: &[&MachinePlan],
        token: &BootstrapToken,
        caller: &Caller<'_>,
    ) -> Result<(), Failure> {
        take_operator_keys(self.record)?;
        self.start_forwarder()?;
        if new.is_empty() {
            return Ok(());
        }
        let client = self.client()?;
        let options = TokenOptions {
            roles: vec![Role::Server, Role::Agent],
            life: Some(TOKEN_LIFE),
            once: false,
            description: "machines of one `starling up`".to_owned(),
        };
        token::create(&client, token, &options, caller.now.wall)?;
        let (text, hashes) = (token.to_string(), [token::hash(self.record)?]);
        let endpoint = client.address();
        let joined: Result<(), Failure> = thread::scope(|scope| {
            let join = |machine: &&MachinePlan| {
                let invitation = joining::Invitation {
                    endpoint: &endpoint,
                    token: &text,
                    hashes: &hashes,
                    believes_anybody: false,
                    cluster: Some(&self.record.uid),
                };
                let newcomer = self.newcomer(machine)?;
                joining::join(&newcomer, &invitation).map_err(|failure| named(machine, failure))?;
                self.output.progress(&format!("  {}: joined", machine.node));
                self.power_on(machine, |_| {})
            };
            let joins: Vec<_> =
                new.iter().map(|machine| scope.spawn(move || join(machine))).collect();
            joins.into_iter().map(end).collect::<Vec<_>>().into_iter().collect()
        });
        token::revoke(&client, &token.id)?;
        joined.and_then(|()| self.await_votes(&client))
    }

    /// Returns when every server here votes: not before does the cluster survive the loss of one.
    fn await_votes(&self, client: &Client) -> Result<(), Failure> {
        let servers = self.plan.machines.iter().filter(|machine| machine.role == Role::Server);
        let mut learning: Vec<&str> = servers.map(|machine| machine.node.as_str()).collect();
        for _ in 0..VOTE_ASKS_MAX {
            let told = client.get("/starling/v1/mesh/members")?;
            let votes = |node: &str| {
                mesh::servers(&told).iter().any(|one| one["node"] == node && one["votes"] == true)
            };
            learning.retain(|node| !votes(node));
            if learning.is_empty() {
                self.output.progress("  all servers vote");
                return Ok(());
            }
            // The route tells what is, not what changes, so this waits and asks.
            poll(&mut [], PollTimeout::from(VOTE_ASK_EVERY_MS)).ok();
        }
        let cause = format!("{} does not vote yet: it still catches up", learning.join(", "));
        Err(Failure::new(cause).next("starling server list"))
    }

    /// A server that can be asked: of those whose keys and records are here, the first that is ready.
    fn client(&self) -> Result<Client, Failure> {
        let servers = self.plan.machines.iter().filter(|machine| machine.role == Role::Server);
        let mut known =
            servers.filter_map(|machine| MachineRecord::read(&machine.record_path()).ok());
        let ready = known.find_map(|one| {
            let client = Client::at(self.record, (one.address, one.api_port).into()).ok()?;
            client.text("/readyz").is_ok().then_some(client)
        });
        ready.ok_or_else(|| {
            Failure::new("no server of this cluster is ready").next("starling status").code(3)
        })
    }

    /// Gives a machine its network and starts its guardian; one that runs already is only waited for.
    fn power_on(
        &self,
        machine: &MachinePlan,
        mut on_step: impl FnMut(&str),
    ) -> Result<(), Failure> {
        if processes::find(&machine.run_dir).guardian.is_none() {
            return power_on(self.plan, machine, self.output, &mut on_step);
        }
        if group::state(&machine.group) == group::State::Paused {
            let note = format!("  {0}: is paused; `starling node resume {0}`", machine.node);
            self.output.progress(&note);
            return Ok(());
        }
        let (record, log) = (machine.record_path(), machine.log_path());
        let launch =
            Launch { who: &machine.node, record: &record, run_dir: &machine.run_dir, log: &log };
        launch.wait_ready(self.output, || self.look_ready(machine))?;
        on_step(SERVES);
        Ok(())
    }

    /// Whether a machine that runs has come as far as one that was just started: a server serves, an agent's node is
    /// ready.
    fn look_ready(&self, machine: &MachinePlan) -> Result<(), Failure> {
        take_operator_keys(self.record)?;
        let failed = |error| Failure::of(&error);
        let known = MachineRecord::read(&machine.record_path()).map_err(failed)?;
        if machine.role == Role::Server {
            let client = Client::at(self.record, (known.address, known.api_port).into())?;
            return client.text("/readyz").map(drop);
        }
        let node = Client::of(self.record)?.get(&format!("/api/v1/nodes/{}", machine.node))?;
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        match conditions.any(|one| one["type"] == "Ready" && one["status"] == "True") {
            true => Ok(()),
            false => Err(Failure::new(format!("node {} is not ready", machine.node))
                .next(format!("less {}", machine.log_path().display()))),
        }
    }

    fn start_forwarder(&self) -> Result<(), Failure> {
        let living = processes::find_part(&self.record.run_dir, Part::Forwarder);
        if let Some(forwarder) = living.server {
            // It reads the record when it starts, and its guardian starts it at once.
            processes::signal(forwarder, nix::sys::signal::Signal::SIGKILL);
        }
        if living.guardian.is_some() {
            return Ok(());
        }
        let log = self.record.data_dir.join("logs/forwarder.log");
        std::fs::create_dir_all(&self.record.run_dir).map_err(|error| Failure::of(&error))?;
        spawn_guardian(&self.record.data_dir.join("cluster.json"), Part::Forwarder, &log)
    }

    /// This computer is itself a machine of the cluster: it needs no network, and there is one process.
    fn restart_real(&self, caller: &Caller<'_>, options: &UpOptions) -> Result<(), Failure> {
        if options.servers.is_some() || options.agents.is_some() {
            let cause = "this computer is a machine of a cluster of several computers; others join it by `starling join`";
            return Err(Failure::usage(cause).next("starling token create --print-join-command"));
        }
        for machine in &self.plan.machines {
            self.power_on(machine, |_| {})?;
        }
        take_operator_keys(self.record)?;
        if !options.no_kubeconfig && has_operator_keys(self.record) {
            write_kubeconfig(self.record, caller)?;
        }
        self.answer()
    }

    fn answer(&self) -> Result<(), Failure> {
        let (name, server) = (&self.record.name, server_of(self.record));
        let count = |role| self.plan.machines.iter().filter(|one| one.role == role).count();
        let (servers, agents) = (count(Role::Server), count(Role::Agent));
        let text = format!(
            "cluster {name} is running at {server}: {servers} servers, {agents} agents\n\
             try: kubectl get nodes -o wide   (or: starling get nodes)\n\
             \x20    starling status   (every machine, its pids, who leads)\n\
             \x20    starling node kill NAME   (and see what comes back)\n\
             logs: {}/machines/*/logs",
            self.record.data_dir.display()
        );
        let nodes: Vec<&str> = self.plan.machines.iter().map(|one| one.node.as_str()).collect();
        let json = json!({"name": name, "state": "running", "server": server, "nodes": nodes});
        self.output.answer(&text, &json)
    }
}

/// Gives a machine its network, if it lives in a namespace, and starts its guardian.
pub(crate) fn power_on(
    plan: &Plan,
    machine: &MachinePlan,
    output: &Output,
    on_step: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let failed = |error: network::NetworkError| named(machine, Failure::of(&error));
    if !machine.record_path().is_file() {
        let cause = format!("machine {} has not joined its cluster yet", machine.node);
        return Err(Failure::new(cause).next(format!("starling up --name {}", plan.cluster)));
    }
    if let Some(pid) = processes::find(&machine.run_dir).server {
        // Its guardian is gone, and a second process would find ports and disks taken. Pods run on.
        stop(&format!("process of {}", machine.node), pid)?;
    }
    if let Some(segment) = &machine.segment {
        if group::state(&machine.group) == group::State::Down {
            // What a machine's kernel knew, routes and rules, does not outlive its power.
            network::disconnect(segment).map_err(failed)?;
        }
        network::connect(plan, segment).map_err(failed)?;
    }
    let (record, log) = (machine.record_path(), machine.log_path());
    let launch =
        Launch { who: &machine.node, record: &record, run_dir: &machine.run_dir, log: &log };
    launch.start(output, on_step)
}

/// The result of a thread; one that panicked failed.
fn end(thread: thread::ScopedJoinHandle<'_, Result<(), Failure>>) -> Result<(), Failure> {
    thread.join().unwrap_or_else(|_| Err(Failure::new("a part of this command panicked")))
}

fn named(machine: &MachinePlan, failure: Failure) -> Failure {
    Failure { cause: format!("{}: {}", machine.node, failure.cause), ..failure }
}

/// The cluster's record with all machines that are wanted, written before any of them is made.
fn open_record(
    arguments: &Arguments,
    options: &UpOptions,
    caller: &mut Caller<'_>,
) -> Result<ClusterRecord, Failure> {
    let uid = new_uid(caller);
    let mut records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    let wrong = |error: PlanError| {
        let next = "starling status   (shows the machines; `starling server remove NAME` takes a server out)";
        Failure::usage(error.to_string()).next(next)
    };
    let there = records.find(&arguments.name).cloned();
    let count = |role| {
        there.iter().flat_map(|record| &record.machines).filter(|one| one.role == role).count()
    };
    let servers = options.servers.unwrap_or(count(Role::Server));
    let agents = options.agents.unwrap_or(count(Role::Agent));
    let Some(mut record) = there else {
        let machines = Plan::grow(&[], servers, agents).map_err(wrong)?;
        let first = machines.first().map(|machine| machine.node.clone()).unwrap_or_default();
        let wanted = NewCluster {
            name: arguments.name.clone(),
            uid,
            node: options.node.clone().unwrap_or(first),
            api_port: options.api_port,
            machines,
            ..NewCluster::default()
        };
        return preflight::create(&mut records, &wanted, &caller.claims);
    };
    record.api_port = options.api_port.unwrap_or(record.api_port);
    preflight::hold(&record, &caller.claims);
    if record.is_hosted() {
        record.machines = Plan::grow(&record.machines, servers, agents).map_err(wrong)?;
        records.write(&record).map_err(|error| unusable(&error))?;
    }
    Ok(record)
}
