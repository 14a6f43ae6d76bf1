//! Who uses a cluster while it is hurt, and remembers what it promised.
//!
//! Way in: [`Writes`] counts acknowledged writes, [`Visits`] answers through a Service; [`Beats`] hears from pods that
//! must never run twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actors_core::Mono;
use actors_runtime::Clock;

use crate::{Cluster, until};

#[expect(clippy::disallowed_methods, reason = "users and judges beside the cluster are no actors")]
fn beside<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(what)
}

/// When each success of a load was.
#[derive(Debug, Clone, Default)]
struct Successes(Arc<Mutex<Vec<Mono>>>);

impl Successes {
    fn count(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Clock.mono());
    }

    /// The longest time without one, from `since` until now.
    fn longest_wait(&self, since: Mono) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut longest = Duration::ZERO;
        let mut last = since;
        for at in all.iter().filter(|at| **at > since).chain([&Clock.mono()]) {
            longest = longest.max(at.since(last));
            last = *at;
        }
        longest
    }
}

/// Creates ConfigMaps, one after the other, until it is ended.
pub struct Writes {
    stop: Arc<AtomicBool>,
    successes: Successes,
    thread: JoinHandle<(Vec<String>, usize)>,
}

impl Writes {
    /// Begins to write into the namespace `default`.
    pub fn on(cluster: &Cluster) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, user) = (Arc::clone(&stop), cluster.user());
        let successes = Successes::default();
        let acks = successes.clone();
        let thread = beside(move || {
            let (mut acknowledged, mut failed) = (Vec::new(), 0);
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("written-{number}");
                let words = ["create", "configmap", &name, "--from-literal=a=b"];
                match user.try_kubectl(&words).code {
                    0 => {
                        acks.count();
                        acknowledged.push(format!("configmap/{name}"));
                    }
                    _ => failed += 1,
                }
            }
            (acknowledged, failed)
        });
        Self { stop, successes, thread }
    }

    /// The longest time without an acknowledged write, from `since` until now.
    #[must_use]
    pub fn longest_wait(&self, since: Mono) -> Duration {
        self.successes.longest_wait(since)
    }

    /// Ends, and looks for every acknowledged write. Returns how many there are, and how many writes failed.
    ///
    /// # Panics
    /// If one is lost.
    pub fn end(self, cluster: &Cluster) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let (acknowledged, failed) = self.thread.join().expect("the writer ran");
        let all = cluster.kubectl(&["get", "configmaps", "-o", "name"]);
        let there: BTreeSet<&str> = all.lines().collect();
        let lost: Vec<&String> =
            acknowledged.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(
            lost.is_empty(),
            "{} of {} writes are lost: {lost:?}",
            lost.len(),
            acknowledged.len()
        );
        (acknowledged.len(), failed)
    }
}

/// From one visit to the next.
const VISIT_EVERY: Duration = Duration::from_millis(50);

/// Fetches a page through a Service again and again, from the host, until it is dropped.
pub struct Visits {
    // Dropped when the visits end.
    stop: Option<mpsc::Sender<()>>,
    successes: Successes,
    failed: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Visits {
    /// Begins to visit an address of the form `IP:PORT`.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let address: SocketAddr = address.parse().expect("an address");
        let (stop, ends) = mpsc::channel();
        let (successes, failed) = (Successes::default(), Arc::<AtomicUsize>::default());
        let (misses, hits) = (Arc::clone(&failed), successes.clone());
        let thread = beside(move || {
            while ends.recv_timeout(VISIT_EVERY) == Err(RecvTimeoutError::Timeout) {
                match fetch(address) {
                    Some(()) => hits.count(),
                    None => drop(misses.fetch_add(1, Ordering::Relaxed)),
                }
            }
        });
        Self { stop: Some(stop), successes, failed, thread: Some(thread) }
    }

    /// The longest time without a page, from `since` until now.
    #[must_use]
    pub fn longest_wait(&self, since: Mono) -> Duration {
        self.successes.longest_wait(since)
    }

    /// How many visits there were, and how many of them got no page.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let got = self.successes.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        let failed = self.failed.load(Ordering::Relaxed);
        (got + failed, failed)
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// One page, within half a second to connect and as long to answer.
fn fetch(address: SocketAddr) -> Option<()> {
    let patience = Duration::from_millis(500);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    line.contains(" 200 ").then_some(())
}

/// When each pod was heard: the first and the last time.
type Heard = Arc<Mutex<BTreeMap<String, (Mono, Mono)>>>;

/// Hears from pods that say their name again and again (`GET /NAME`).
pub struct Beats {
    heard: Heard,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beats {
    /// Listens on every address of this host.
    pub fn listen() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heard, stop) = (Heard::default(), Arc::new(AtomicBool::new(false)));
        let (all, stopped) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = beside(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if let Some(pod) = stream.ok().and_then(hear) {
                    let now = Clock.mono();
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.entry(pod).or_insert((now, now)).1 = now;
                }
            }
        });
        Self { heard, address, stop, thread: Some(thread) }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits until so many pods were heard: the newest one runs, and says so.
    ///
    /// # Panics
    /// If it is not heard.
    pub fn wait_for(&self, pods: usize) {
        let heard = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).len();
        until(&format!("{pods} pods were heard"), || heard() >= pods);
    }

    /// Which pods were heard, in the order in which they came.
    ///
    /// # Panics
    /// If one was heard while another one was.
    #[must_use]
    pub fn one_after_the_other(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans: Vec<_> =
            heard.iter().map(|(pod, (first, last))| (first, last, pod)).collect();
        spans.sort();
        for pair in spans.windows(2) {
            if let [(_, last, before), (first, _, after)] = pair {
                assert!(
                    last < first,
                    "{before} was heard until {last:?}, {after} from {first:?} on"
                );
            }
        }
        spans.into_iter().map(|(_, _, pod)| pod.clone()).collect()
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; if that fails it has ended already.
        let _woken = TcpStream::connect(("127.0.0.1", self.address.port()));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn hear(mut stream: TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").ok()?;
    line.split(' ').nth(1)?.strip_prefix('/').map(str::to_owned)
}
