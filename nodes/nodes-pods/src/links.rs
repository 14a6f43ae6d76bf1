//! Names the Services of a pod's namespace in its containers' environment.
//!
//! Way in: [`service_links`].
//! Spec: Kubernetes documentation, "Service", "Environment variables" (both forms).

use actors_object::Object;

/// Variables for every Service that has a cluster address, in the order of `services`.
#[must_use]
pub fn service_links(services: &[&Object]) -> Vec<(String, String)> {
    services.iter().flat_map(|service| variables(service)).collect()
}

fn variables(service: &Object) -> Vec<(String, String)> {
    let spec = service.0.at("spec");
    let Some(ip) = spec.at("clusterIP").as_str().filter(|ip| !ip.is_empty() && *ip != "None")
    else {
        return Vec::new();
    };
    let prefix = shout(service.name());
    let mut all = vec![(format!("{prefix}_SERVICE_HOST"), ip.to_owned())];
    for (index, port) in spec.list_at(&["ports"]).iter().enumerate() {
        let Some(number) = port.at("port").as_i64() else { continue };
        let protocol = port.at("protocol").as_str().unwrap_or("TCP");
        let url = format!("{}://{}:{number}", protocol.to_lowercase(), bracketed(ip));
        if index == 0 {
            all.push((format!("{prefix}_SERVICE_PORT"), number.to_string()));
            all.push((format!("{prefix}_PORT"), url.clone()));
        }
        if let Some(name) = port.at("name").as_str().filter(|name| !name.is_empty()) {
            all.push((format!("{prefix}_SERVICE_PORT_{}", shout(name)), number.to_string()));
        }
        let link = format!("{prefix}_PORT_{number}_{protocol}");
        all.push((format!("{link}_PROTO"), protocol.to_lowercase()));
        all.push((format!("{link}_PORT"), number.to_string()));
        all.push((format!("{link}_ADDR"), ip.to_owned()));
        all.push((link, url));
    }
    all
}

fn shout(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn bracketed(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}
