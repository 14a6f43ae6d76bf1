//! The files that every container of a pod gets: `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`.
//!
//! Way in: [`write`].  Owns: one folder for each pod.
//! Spec: Kubernetes documentation, "Adding entries to Pod /etc/hosts with HostAliases", "DNS for
//! Services and Pods".

use std::{fs, io, path::Path};

use actors_object::{Object, Value};

use crate::{AgentConfig, shared::Shared};

/// The most search domains of a pod's own, as the API has it.
const SEARCH_MAX: usize = 32;

/// Writes all three.
pub(crate) fn write(shared: &Shared, pod: &Object, ips: &[String]) -> io::Result<()> {
    let folder = shared.paths.etc(pod.uid());
    fs::create_dir_all(&folder)?;
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let on_host = pod.0.at("spec").at("hostNetwork").as_bool() == Some(true);
    let hosts = if on_host {
        fs::read_to_string("/etc/hosts").unwrap_or_default() + &aliases(pod)
    } else {
        hosts(pod, &shared.config.domain, ips)
    };
    put(&folder.join("hosts"), &hosts)?;
    put(&folder.join("hostname"), &format!("{}\n", hostname(pod)))?;
    put(&folder.join("resolv.conf"), &resolv_conf(&shared.config, pod, &host))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    // In place: containers hold these very files by bind mounts.
    fs::write(path, text)
}

/// `spec.hostname`, or the pod's name; at most 63 bytes, the kernel's and DNS's bound for a label.
pub(crate) fn hostname(pod: &Object) -> String {
    let given = pod.0.at("spec").at("hostname").as_str().filter(|name| !name.is_empty());
    let name: String = given.unwrap_or(pod.name()).chars().take(63).collect();
    name.trim_end_matches(['-', '.']).to_owned()
}

fn hosts(pod: &Object, domain: &str, ips: &[String]) -> String {
    let mut text = "# Written by the node agent for this pod.\n\
                    127.0.0.1\tlocalhost\n\
                    ::1\tlocalhost ip6-localhost ip6-loopback\n\
                    fe00::0\tip6-localnet\n\
                    ff02::1\tip6-allnodes\n\
                    ff02::2\tip6-allrouters\n"
        .to_owned();
    let name = hostname(pod);
    let subdomain = pod.0.at("spec").at("subdomain").as_str().filter(|name| !name.is_empty());
    for ip in ips {
        match subdomain {
            Some(subdomain) => {
                let full = format!("{name}.{subdomain}.{}.svc.{domain}", pod.namespace());
                text.push_str(&format!("{ip}\t{full}\t{name}\n"));
            }
            None => text.push_str(&format!("{ip}\t{name}\n")),
        }
    }
    text + &aliases(pod)
}

fn aliases(pod: &Object) -> String {
    let mut text = String::new();
    for alias in pod.0.list_at(&["spec", "hostAliases"]) {
        let names: Vec<&str> =
            alias.list_at(&["hostnames"]).iter().filter_map(Value::as_str).collect();
        text.push_str(&format!(
            "{}\t{}\n",
            alias.at("ip").as_str().unwrap_or_default(),
            names.join("\t")
        ));
    }
    text
}

/// What a resolver is told.
#[derive(Debug, Default)]
struct Resolver {
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
}

fn resolv_conf(config: &AgentConfig, pod: &Object, host: &str) -> String {
    let spec = pod.0.at("spec");
    let on_host = spec.at("hostNetwork").as_bool() == Some(true);
    let mut found = match (spec.at("dnsPolicy").as_str(), config.dns) {
        (Some("None"), _) => Resolver::default(),
        (Some("ClusterFirstWithHostNet"), Some(server)) => {
            cluster(config, pod, (server.to_string(), host))
        }
        (Some("ClusterFirst") | None, Some(server)) if !on_host => {
            cluster(config, pod, (server.to_string(), host))
        }
        // Also where the cluster has no DNS server: names of the outside still work.
        _ => read(host),
    };
    let own = spec.at("dnsConfig");
    let texts =
        |field: &str| own.list_at(&[field]).iter().filter_map(Value::as_str).map(str::to_owned);
    found.servers.extend(texts("nameservers"));
    found.search.extend(texts("searches"));
    for option in own.list_at(&["options"]) {
        let name = option.at("name").as_str().unwrap_or_default();
        found.options.retain(|known| known.split(':').next() != Some(name));
        found.options.push(match option.at("value").as_str() {
            Some(value) => format!("{name}:{value}"),
            None => name.to_owned(),
        });
    }
    let mut text = String::new();
    for server in dedup(found.servers).iter().take(3) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    for (word, list) in [("search", dedup(found.search)), ("options", found.options)] {
        if !list.is_empty() {
            let all: Vec<String> = list.into_iter().take(SEARCH_MAX).collect();
            text.push_str(&format!("{word} {}\n", all.join(" ")));
        }
    }
    text
}

fn cluster(config: &AgentConfig, pod: &Object, (server, host): (String, &str)) -> Resolver {
    let domain = &config.domain;
    let mut search =
        vec![format!("{}.svc.{domain}", pod.namespace()), format!("svc.{domain}"), domain.clone()];
    search.extend(read(host).search);
    Resolver { servers: vec![server], search, options: vec!["ndots:5".to_owned()] }
}

fn read(host: &str) -> Resolver {
    let mut found = Resolver::default();
    for line in host.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => found.servers.extend(words.next()),
            Some("search" | "domain") => found.search = words.collect(),
            Some("options") => found.options.extend(words),
            _ => {}
        }
    }
    found
}

fn dedup(list: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    list.into_iter().filter(|one| seen.insert(one.clone())).collect()
}

#[cfg(test)]
mod tests;
