//! Rolling updates: nobody who uses the Service notices.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tests_e2e::{Cluster, demo_image, until, web};

/// Asks for the page until told to stop; counts answers and failures.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Load {
    #[expect(clippy::disallowed_methods, reason = "a user beside the cluster is no actor of it")]
    fn on(address: String) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&answered));
        let thread = thread::spawn(move || {
            let mut failures = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                match page(&address) {
                    Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => failures.push(error.to_string()),
                }
            }
            failures
        });
        Self { stop, answered, thread }
    }

    fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.thread.join().expect("the load ran");
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

fn image_of(pod: &serde_json::Value) -> String {
    pod["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned()
}

/// The hash of the template of the pods that run this image.
fn template_of(cluster: &Cluster, image: &str) -> String {
    let pods = cluster.list("pods", "app=web");
    let pod = pods.iter().find(|pod| image_of(pod) == image).expect("a pod of this image");
    pod["metadata"]["labels"]["pod-template-hash"].as_str().expect("a hash").to_owned()
}

/// How long a page may take. Far longer than it does, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn page(address: &str) -> std::io::Result<String> {
    let target = address.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    match text.contains("200 OK") {
        true => Ok(text),
        false => Err(std::io::Error::other(text)),
    }
}

#[test]
fn no_request_fails_while_a_deployment_is_updated_and_undone() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 3));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let service = cluster.get("service", "web");
    let address = format!("{}:80", service["spec"]["clusterIP"].as_str().expect("an address"));
    let load = Load::on(address.clone());
    cluster.starling(&["image", "import", &demo_image(), "--tag", "starling.dev/demo:2"]);
    cluster.kubectl(&["set", "image", "deployment/web", "web=starling.dev/demo:2"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let images: Vec<_> = cluster.list("pods", "app=web").iter().map(image_of).collect();
    assert!(images.contains(&"starling.dev/demo:2".to_owned()), "{images:?}");
    let old = template_of(&cluster, "starling.dev/demo:2");
    cluster.kubectl(&["set", "env", "deployment/web", "VERSION=two"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    // An old pod answers until its withdrawal has reached this machine's rules.
    let old = format!("pod-template-hash={old}");
    cluster.kubectl(&["wait", "--for=delete", "pod", "-l", &old, "--timeout=120s"]);
    assert!(page(&address).expect("a page").contains("two"));
    cluster.kubectl(&["rollout", "undo", "deployment/web"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let (answered, failures) = load.end();
    let template = &cluster.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0];
    assert!(template["env"].to_string().contains("one"), "{template}");
    assert!(answered > 20, "only {answered} requests were answered");
    assert_eq!(failures, Vec::<String>::new(), "of {answered}");
    let history = cluster.kubectl(&["rollout", "history", "deployment/web"]);
    assert!(history.contains("3") && history.contains("4"), "{history}");
}

#[test]
fn a_wrong_image_says_what_is_there_and_the_old_pods_stay() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let cluster = Cluster::up();
    cluster.apply(&web("web", 2));
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    cluster.kubectl(&["set", "image", "deployment/web", "web=starling.dev/absent:9"]);
    let stuck = cluster.try_kubectl(&["rollout", "status", "deployment/web", "--timeout=4s"]);
    assert_ne!(stuck.code, 0, "{}", stuck.out);
    let ready = cluster.get("deployment", "web")["status"]["availableReplicas"].as_i64();
    assert!(ready >= Some(2), "{ready:?} available");
    until("an event says what is wanted and what is there", || {
        let events = cluster.kubectl(&["get", "events"]);
        events.contains("starling.dev/absent:9") && events.contains("starling.dev/demo:1")
    });
    cluster.kubectl(&["rollout", "undo", "deployment/web"]);
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
}
