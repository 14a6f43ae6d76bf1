//! `/metrics`: how many requests there were, what they took, and what else the process tells of itself.
//!
//! Way in: [`Metrics::begin`] at each request's start; [`Asked::end`] at its end, which for a stream is that of its
//! last byte.  Owns: the counts.
//! Bounds: one series for each verb, kind, subresource and scope that is served; what is not served shares one series
//! a verb, so that no client can add any; [`SERIES_MAX`] in any case. One lock is taken at a request's begin and one at
//! its end, for some nanoseconds.
//! Spec: Kubernetes documentation, "Kubernetes Metrics Reference": names, labels and bounds of `apiserver_*`.

mod process;
mod requests;
mod text;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody as _},
};
use actors_core::Mono;
use actors_runtime::Clock;

pub use text::{Family, Labels, Sample, Sort, Spread};

use crate::health::{GIT_VERSION, PLATFORM};
pub(crate) use requests::About;
use requests::{Counted, families};

/// Most different series.
const SERIES_MAX: usize = 4_096;

/// What else the process tells of itself.
pub trait FiguresPort: Send + Sync {
    /// All of it as it is now; asked with each scrape.
    fn figures(&self) -> Vec<Family>;
}

/// Counts what the edge does.
pub struct Metrics {
    series: RwLock<BTreeMap<About, Arc<Series>>>,
    reading: AtomicI64,
    writing: AtomicI64,
    port: Arc<dyn FiguresPort>,
}

/// The counts of one sort of request.
#[derive(Debug, Default)]
struct Series {
    /// How many are open, for those that last as long as their clients want.
    open: AtomicI64,
    done: Mutex<Counted>,
}

impl Metrics {
    /// Nothing was counted yet.
    #[must_use]
    pub fn new(port: Arc<dyn FiguresPort>) -> Arc<Self> {
        let (reading, writing) = (AtomicI64::new(0), AtomicI64::new(0));
        Arc::new(Self { series: RwLock::default(), reading, writing, port })
    }

    /// A request begins; it ends with what is returned.
    pub(crate) fn begin(self: &Arc<Self>, about: About) -> Asked {
        let series = self.series(about);
        let asked = Asked {
            metrics: Arc::clone(self),
            series: series.1,
            about: series.0,
            began: Clock.mono(),
            code: 0,
            size: 0,
        };
        asked.gauge().fetch_add(1, Ordering::Relaxed);
        asked
    }

    fn series(&self, about: About) -> (About, Arc<Series>) {
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&about) {
            return (about, Arc::clone(series));
        }
        let is_full = known.len() >= SERIES_MAX;
        drop(known);
        let about = if is_full { about.without_kind() } else { about };
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let series = Arc::clone(all.entry(about.clone()).or_default());
        (about, series)
    }

    /// Everything, in Prometheus' text form.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for family in self.families() {
            text::write(&family, &mut out);
        }
        out
    }

    fn families(&self) -> Vec<Family> {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let counted: Vec<(About, i64, Counted)> = all
            .iter()
            .map(|(about, series)| {
                let open = series.open.load(Ordering::Relaxed);
                (about.clone(), open, locked(&series.done).clone())
            })
            .collect();
        drop(all);
        let now = |gauge: &AtomicI64| gauge.load(Ordering::Relaxed);
        let inflight = (now(&self.reading), now(&self.writing));
        let mut families = families(&counted, inflight);
        families.extend(self.port.figures());
        families.push(build());
        families.extend(process::families());
        families
    }
}

fn build() -> Family {
    let help = "A constant 1, labeled by the version that is served.";
    let labels = [
        ("major", "1"),
        ("minor", "35"),
        ("git_version", GIT_VERSION),
        ("compiler", "rustc"),
        ("platform", PLATFORM),
    ];
    let labels = labels.map(|(name, value)| (name, value.to_owned()));
    Family::gauge("kubernetes_build_info", help).with(labels.into(), 1.0)
}

/// A request that is being answered. It is counted when this is dropped, if it was answered at all.
pub(crate) struct Asked {
    metrics: Arc<Metrics>,
    series: Arc<Series>,
    about: About,
    began: Mono,
    code: u16,
    size: u64,
}

impl Asked {
    /// What counts it while it lasts.
    fn gauge(&self) -> &AtomicI64 {
        match (self.about.is_long_running(), self.about.is_write()) {
            (true, _) => &self.series.open,
            (false, true) => &self.metrics.writing,
            (false, false) => &self.metrics.reading,
        }
    }

    /// The request is answered: counted now, or with the end of a body that comes in pieces.
    pub(crate) fn end(mut self, response: HttpResponse) -> HttpResponse {
        self.code = response.status().as_u16();
        match response.body().size() {
            BodySize::Stream => {
                let streamed = |_: &mut _, body| requests::Streamed { body, asked: self }.boxed();
                response.map_body(streamed)
            }
            BodySize::Sized(size) => {
                self.size = size;
                response
            }
            BodySize::None => response,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.gauge().fetch_sub(1, Ordering::Relaxed);
        // Whoever went away before the answer was told nothing.
        if self.code > 0 {
            let took = Clock.mono().since(self.began).as_secs_f64();
            locked(&self.series.done).add(self.code, took, self.size);
        }
    }
}

/// A panic while the lock was held left no half-done change behind that matters to a count.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
