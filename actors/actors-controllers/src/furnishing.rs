//! What every namespace has from its birth: the `default` service account, and the cluster's CA
//! certificate.
//!
//! Way in: [`ServiceAccountController`], [`RootCaController`].  Writes: ServiceAccounts named
//! `default` (create), ConfigMaps named `kube-root-ca.crt` (create, `data`).  Never: either in a
//! namespace that is being deleted.
//! Spec: Kubernetes documentation, "Managing Service Accounts", "Certificates".

use actors_controller::{
    Access, Controller, Key, Kind, Plan, Primary, Relations, World, WriteVerb,
};
use actors_core::Now;
use actors_object::{Map, Object, Value, value};

use crate::kinds::{CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT};

/// Makes the `default` service account of every namespace, and makes it again when it is deleted.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceAccountController;

const ACCOUNT: &str = "default";

impl Controller for ServiceAccountController {
    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn primary(&self) -> Primary {
        Primary::Of(NAMESPACE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&SERVICE_ACCOUNT, |account, _| home_of(account, ACCOUNT))
    }

    fn access(&self) -> Access {
        Access::reads(&[&NAMESPACE, &SERVICE_ACCOUNT]).writes(
            &SERVICE_ACCOUNT,
            WriteVerb::Create,
            &[],
        )
    }

    fn reconcile(&self, namespace: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        let known = world.get(&SERVICE_ACCOUNT, namespace.name(), ACCOUNT);
        if !namespace.is_terminating() && known.is_none() {
            plan.create(named(&SERVICE_ACCOUNT, namespace, ACCOUNT));
        }
        plan
    }
}

/// Keeps the CA certificate of the cluster's API in every namespace.
#[derive(Debug, Clone)]
pub struct RootCaController {
    /// One or more certificates, PEM.
    pub ca_pem: String,
}

const CONFIG: &str = "kube-root-ca.crt";
const CERTIFICATE: &str = "ca.crt";

impl Controller for RootCaController {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher"
    }

    fn primary(&self) -> Primary {
        Primary::Of(NAMESPACE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&CONFIG_MAP, |config, _| home_of(config, CONFIG))
    }

    fn access(&self) -> Access {
        Access::reads(&[&NAMESPACE, &CONFIG_MAP])
            .writes(&CONFIG_MAP, WriteVerb::Create, &[])
            .writes(&CONFIG_MAP, WriteVerb::Patch, &["data"])
    }

    fn reconcile(&self, namespace: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        if namespace.is_terminating() {
            return plan;
        }
        let data: Map = [(CERTIFICATE, self.ca_pem.as_str())].into_iter().collect();
        match world.get(&CONFIG_MAP, namespace.name(), CONFIG) {
            None => {
                let mut config = named(&CONFIG_MAP, namespace, CONFIG);
                config.set_path(&["data"], data);
                plan.create(config);
            }
            Some(config) => {
                if let Some(patch) =
                    actors_controller::merge_diff(config.at("data"), &Value::Map(data))
                {
                    plan.patch(&config, value!({ "data": patch }));
                }
            }
        }
        plan
    }
}

/// The namespace of `object`, if it is the one object of this name that a controller looks after.
fn home_of(object: &Object, name: &str) -> Vec<Key> {
    let concerned = object.name() == name;
    concerned.then(|| Key::new(&NAMESPACE, "", object.namespace())).into_iter().collect()
}

fn named(kind: &Kind, namespace: &Object, name: &str) -> Object {
    Object(value!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind(),
        "metadata": { "name": name, "namespace": namespace.name() },
    }))
}

#[cfg(test)]
mod tests;
