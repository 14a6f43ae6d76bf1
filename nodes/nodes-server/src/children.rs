//! A server's subtree: what runs beside what, and in which order it starts.
//!
//! Way in: [`Server::children`].

use std::{
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actors_controller::{Controller, HostEvent};
use actors_core::{Address, ChildSpec, Intensity, MailboxPolicy, OnLimit};
use actors_runtime::{Child, Tree};
use nodes_api::{Documents, EdgeParts, MeshPort, Metrics, ServeConfig, serve};
use nodes_client::{Calls, Client, NodeStreams};
use nodes_door::Identity;
use nodes_mesh::{RoutedStreams, own_renewal};
use nodes_pki::{NodeKeys, serial_of};

use crate::{
    Server, acting,
    actors::ClusterActors,
    bootstrap::{self, Bootstrap},
    certificate,
    control::{self, Control, Listener, Tells},
    endpoints, events,
    figures::Figures,
    health, marker, node_object, quorum, revocations, scheduling, signing,
    tokens::TokenAuthenticator,
    votes,
};

impl Server {
    /// Everything that runs, in the order of its start. `listeners` are bound already; `streams` are those of the node
    /// on this machine.
    #[must_use]
    pub fn children(
        &self,
        listeners: Vec<TcpListener>,
        streams: Arc<dyn NodeStreams>,
    ) -> Vec<(ChildSpec, Child)> {
        let (name, group) = self.group.child();
        let store = Tree::new("store", patient(), OnLimit::Escalate).child(name, group);
        let mut all = vec![
            (supervisor("store"), Child::supervisor(store)),
            (supervisor("door"), Child::supervisor(self.door())),
        ];
        match &self.config.mesh {
            None => {
                let scheduler = scheduling::tree(&self.shared_control(), &self.system);
                all.push((
                    supervisor("control"),
                    Child::supervisor(self.controllers_tree("control")),
                ));
                all.push((supervisor("scheduler"), Child::supervisor(scheduler)));
            }
            Some(mesh) => {
                let words = (self.config.node.as_str(), mesh.membership.view());
                let health = health::tree(&self.shared_control(), &self.system, words);
                all.push((supervisor("health"), Child::supervisor(health)));
                all.push((supervisor("control"), Child::supervisor(self.seat())));
            }
        }
        all.push((supervisor("edge"), Child::supervisor(self.edge(listeners, streams))));
        all
    }

    fn shared_control(&self) -> Control {
        Control { gate: self.gate.clone(), registry: Arc::clone(&self.registry) }
    }

    fn controllers(&self) -> Vec<Arc<dyn Controller>> {
        let mut all = actors_controllers::builtin(self.authority_pem());
        all.extend(signing::controllers(&self.pki, &self.issuer));
        all
    }

    /// What serves requests, whoever leads.
    fn door(&self) -> Tree {
        let mut door = Tree::new("door", patient(), OnLimit::Escalate)
            .child(ChildSpec::permanent("watches"), self.watches());
        if let Some(mesh) = &self.config.mesh {
            let (store, able) = (self.gate.store().clone(), self.able.clone());
            let follow = move |service| quorum::follow(service, store.quorum(), able.clone());
            let (store, membership) = (self.gate.store().clone(), mesh.membership.clone());
            let tell = move |service| votes::tell(service, store.clone(), membership.clone());
            let (store, endpoint) = (self.gate.store().clone(), mesh.mesh.clone());
            let edge = self.revoked.clone();
            let revoke = move |service| {
                revocations::run(service, store.clone(), endpoint.clone(), edge.clone())
            };
            door = door
                .child(ChildSpec::permanent("quorum"), Child::service(follow))
                .child(ChildSpec::permanent("voters"), Child::service(tell))
                .child(ChildSpec::permanent("revocations"), Child::service(revoke))
                .child(ChildSpec::transient("certificate"), self.own_certificate());
            let calls = self.calls("system:starling:certificates", "starling-certificates");
            let (log, folder) =
                (Arc::new(node_object::SerialLog(calls)), self.config.data_dir.join("pki"));
            let (spec, renewal) = own_renewal(&mesh.mesh, &self.pki, log, folder);
            door = door.child(spec, renewal);
        }
        door.child(ChildSpec::transient("bootstrap"), self.bootstrap())
            .child(ChildSpec::permanent("events"), self.events())
    }

    /// The supervisor of what acts, with the seat that starts and stops it.
    fn seat(&self) -> Tree {
        let server = self.clone();
        let seat = Child::service(move |service| {
            let server = server.clone();
            let calls = server.calls("system:starling:bootstrap", "starling-bootstrap");
            let parts = (server.what_to_make(), calls, server.gate.store().clone());
            acting::sit(service, parts, move || server.acting())
        });
        Tree::new("control", patient(), OnLimit::Escalate).child(ChildSpec::permanent("seat"), seat)
    }

    /// What only the holder of the shards does.
    fn acting(&self) -> Tree {
        let control = self.shared_control();
        let mut tree = Tree::new("acting", patient(), OnLimit::Escalate)
            .child(
                supervisor("controllers"),
                Child::supervisor(self.controllers_tree("controllers")),
            )
            .child(
                supervisor("scheduler"),
                Child::supervisor(scheduling::tree(&control, &self.system)),
            );
        if let Some(mesh) = &self.config.mesh {
            let calls = self.calls("system:starling:endpoints", "starling-endpoints");
            let (store, view) = (self.gate.store().clone(), mesh.membership.view());
            let publish = move |service| {
                endpoints::publish(service, (calls.clone(), store.clone()), view.clone())
            };
            let calls = self.calls("system:starling:servers", "starling-servers");
            let store = self.gate.store().clone();
            let keep =
                move |service| crate::control_plane::keep(service, (calls.clone(), store.clone()));
            let calls = self.calls("system:starling:votes", "starling-votes");
            let (store, node) = (self.gate.store().clone(), self.config.node.clone());
            let warn =
                move |service| votes::warn(service, calls.clone(), store.clone(), node.clone());
            tree = tree
                .child(ChildSpec::permanent("taints"), Child::service(keep))
                .child(ChildSpec::permanent("endpoints"), Child::service(publish))
                .child(ChildSpec::permanent("votes"), Child::service(warn));
        }
        tree
    }

    fn flow_control(&self) -> Child {
        let server = self.clone();
        Child::service(move |service| {
            let calls = server.calls("system:starling:flow-control", "starling-flow-control");
            let parts = (server.what_to_make(), calls, server.gate.store().clone());
            crate::flow_control::keep(service, parts, server.serving())
        })
    }

    fn calls(&self, user: &str, agent: &str) -> Calls {
        Calls::new(self.client(), Identity::new(user, &["system:masters"]), agent)
    }

    fn controllers_tree(&self, name: &str) -> Tree {
        let control = self.shared_control();
        let mut tree = Tree::new(name, patient(), OnLimit::Escalate);
        let mut hosts = Vec::new();
        for controller in self.controllers() {
            let address = Address::new("controller", controller.name());
            let kinds = controller.relations().heard(&controller.primary());
            let actor = self.system.actor_at(&address);
            hosts.push(Listener::of(actor, &kinds, &self.registry));
            let spec = ChildSpec::permanent(controller.name()).mailbox(MailboxPolicy::wait(4_096));
            tree = tree.child(spec, control::host(&control, &controller).at(address));
        }
        let feed = Child::service(move |service| {
            let words =
                (HostEvent::Resync, (|changes| vec![HostEvent::Changes(changes)]) as Tells<_>);
            control::feed(service, control.clone(), hosts.clone(), words)
        });
        tree.child(ChildSpec::permanent("feed"), feed)
            .child(ChildSpec::permanent("flow-control"), self.flow_control())
    }

    fn watches(&self) -> Child {
        let gate = self.gate.clone();
        Child::service(move |service| {
            let gate = gate.clone();
            async move {
                gate.host_watches(service.clone());
                service.stopping().await;
                Ok(())
            }
        })
    }

    fn what_to_make(&self) -> Bootstrap {
        Bootstrap {
            client: self.client(),
            registry: Arc::clone(&self.registry),
            controllers: self.controllers(),
            config: self.config.clone(),
        }
    }

    /// Waits for the first objects, or makes them where there is nobody else; then requests are served.
    fn bootstrap(&self) -> Child {
        let server = self.clone();
        Child::service(move |service| {
            let server = server.clone();
            async move {
                let store = server.gate.store();
                let made = async {
                    if server.config.mesh.is_some() {
                        marker::wait(store).await?;
                        // A replica that was loaded from disk serves when others confirm what it shows.
                        server.able.subscribe().wait_for(|able| *able).await?;
                        return Ok(());
                    }
                    let mut leadership = store.leadership();
                    leadership.wait_for(|present| present.epoch.is_some()).await?;
                    bootstrap::run(&server.what_to_make()).await
                };
                tokio::select! {
                    () = service.stopping() => return Ok(()),
                    made = made => made?,
                }
                server.readiness.bootstrapped.store(true, Ordering::Release);
                server.serving.send_replace(true);
                Ok(())
            }
        })
    }

    /// Notes which certificate this server gave itself at its start, so that it can be revoked.
    fn own_certificate(&self) -> Child {
        let server = self.clone();
        Child::service(move |service| {
            let server = server.clone();
            async move {
                let folder = server.config.data_dir.join("pki");
                let keys = NodeKeys::open(&folder)?;
                let serial = serial_of(&keys.certificate_pem).unwrap_or_default();
                let calls = server.calls("system:starling:certificates", "starling-certificates");
                let mut serving = server.serving.subscribe();
                tokio::select! {
                    () = service.stopping() => return Ok(()),
                    served = serving.wait_for(|serves| *serves) => drop(served?),
                }
                Ok(node_object::add_serial(&calls, &server.config.node, &serial).await?)
            }
        })
    }

    fn events(&self) -> Child {
        let calls = self.calls("system:starling:supervisor", "starling-supervisor");
        let about = (self.config.node.clone(), self.gate.store().health());
        Child::service(move |service| events::run(service, calls.clone(), about.clone()))
    }

    fn edge(&self, listeners: Vec<TcpListener>, local: Arc<dyn NodeStreams>) -> Tree {
        let edge = Tree::new("edge", patient(), OnLimit::Escalate);
        let server = self.clone();
        let renew = move |service| certificate::keep_fresh(service, server.clone());
        let edge = edge.child(ChildSpec::permanent("certificate"), Child::service(renew));
        match &self.config.mesh {
            None => edge.child(ChildSpec::permanent("http"), self.http(listeners, local)),
            Some(mesh) => {
                let routed = RoutedStreams::new(mesh.mesh.clone(), local);
                let (spec, pumps) = routed.child();
                edge.child(spec, pumps)
                    .child(ChildSpec::permanent("http"), self.http(listeners, Arc::new(routed)))
            }
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            store: self.gate.store().clone(),
            member: self.config.member,
            registry: Arc::clone(&self.registry),
            system: self.system.clone(),
            operators: self.operators.clone(),
        }
    }

    fn http(&self, listeners: Vec<TcpListener>, streams: Arc<dyn NodeStreams>) -> Child {
        let (gate, pki, registry) =
            (self.gate.clone(), Arc::clone(&self.pki), Arc::clone(&self.registry));
        let readiness = Arc::clone(&self.readiness);
        let actors = Arc::new(ClusterActors::new(&self.system, &self.config));
        let (issuer, certificate) = (self.issuer.clone(), Arc::clone(&self.certificate));
        let revoked = self.revoked.subscribe();
        let listeners = Arc::new(listeners);
        let mesh = self.operators.clone().map(|port| port as Arc<dyn MeshPort>);
        let documents = Documents::default();
        // Counts go on from one life of the edge to the next.
        let metrics = Metrics::new(Arc::new(self.figures()));
        Child::service(move |service| {
            let authenticator = TokenAuthenticator::new(
                Arc::clone(&pki),
                gate.clone(),
                issuer.clone(),
                revoked.clone(),
            );
            let parts = EdgeParts {
                client: Arc::new(gate.clone()) as Arc<dyn Client>,
                authenticator: Arc::new(authenticator),
                registry: Arc::clone(&registry),
                streams: Arc::clone(&streams),
                actors: Arc::clone(&actors) as Arc<dyn nodes_api::ActorsPort>,
                readiness: Arc::clone(&readiness) as Arc<dyn nodes_api::Readiness>,
                mesh: mesh.clone(),
                documents: documents.clone(),
                metrics: Arc::clone(&metrics),
            };
            let (pki, listeners) = (Arc::clone(&pki), Arc::clone(&listeners));
            let certificate = Arc::clone(&certificate);
            async move {
                // The sockets stay open from one life of the edge to the next: nobody is refused meanwhile.
                let listeners =
                    listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
                let config = ServeConfig {
                    listeners,
                    certificate,
                    authority_pem: pki.authority.certificate_pem().to_owned(),
                    workers: 2,
                };
                Ok(serve(service, config, parts).await?)
            }
        })
    }
}

/// Some restarts are normal while something else is being restarted.
fn patient() -> Intensity {
    Intensity { restarts: 30, period: Duration::from_secs(60) }
}

fn supervisor(name: &str) -> ChildSpec {
    ChildSpec::permanent(name).shutdown(Duration::from_secs(60))
}
