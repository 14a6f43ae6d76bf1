//! Prometheus' text form: families of samples, as lines.
//!
//! Way in: [`Family`], [`write()`].
//! Spec: Prometheus documentation, "Exposition formats", text format 0.0.4. It is written by hand because a counter's
//! `TYPE` line must carry its whole name (`apiserver_request_total`), which writers of OpenMetrics cut.

use std::fmt::Write as _;

/// What a family's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It only rises, until the process ends.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Its samples are made of [`Sample::Spread`].
    Histogram,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// All samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// `apiserver_request_total`.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// What its numbers mean.
    pub sort: Sort,
    /// Each with labels of its own.
    pub samples: Vec<(Labels, Sample)>,
}

/// Names and values, in the order in which they are written.
pub type Labels = Vec<(&'static str, String)>;

/// One value of a family.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A counter's or gauge's.
    Number(f64),
    /// A histogram's.
    Spread(Spread),
}

/// How often which size was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    bounds: &'static [f64],
    /// Invariant: one more than there are bounds; the last one counts what is above all of them.
    counts: Vec<u64>,
    sum: f64,
}

impl Spread {
    /// Nothing was seen yet; `bounds` rise.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Counts one.
    pub fn add(&mut self, size: f64) {
        let place = self.bounds.partition_point(|bound| *bound < size);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += size;
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Family {
    /// A family of counters.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Counter, samples: Vec::new() }
    }

    /// A family of gauges.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Gauge, samples: Vec::new() }
    }

    /// A family of histograms.
    #[must_use]
    pub fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Histogram, samples: Vec::new() }
    }

    /// This family with one more number.
    #[must_use]
    pub fn with(mut self, labels: Labels, number: f64) -> Self {
        self.samples.push((labels, Sample::Number(number)));
        self
    }
}

/// Appends a family; one without samples is left out.
pub(super) fn write(family: &Family, out: &mut String) {
    if family.samples.is_empty() {
        return;
    }
    let name = family.name;
    let help = family.help.replace('\\', r"\\").replace('\n', r"\n");
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {}", family.sort.word()));
    for (labels, sample) in &family.samples {
        match sample {
            Sample::Number(number) => {
                line(out, format_args!("{name}{} {number}", Braced(labels, None)));
            }
            Sample::Spread(spread) => write_spread((name, labels), spread, out),
        }
    }
}

fn write_spread((name, labels): (&str, &Labels), spread: &Spread, out: &mut String) {
    let mut below = 0;
    for (place, count) in spread.counts.iter().enumerate() {
        below += count;
        let bound = spread.bounds.get(place).map_or("+Inf".to_owned(), f64::to_string);
        line(out, format_args!("{name}_bucket{} {below}", Braced(labels, Some(&bound))));
    }
    let sum = spread.sum;
    line(out, format_args!("{name}_sum{} {sum}", Braced(labels, None)));
    line(out, format_args!("{name}_count{} {below}", Braced(labels, None)));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A text takes everything.
    if out.write_fmt(text).is_ok() {
        out.push('\n');
    }
}

/// `{verb="GET",code="200"}`, with a histogram's bound as the last one; nothing if there are none.
struct Braced<'a>(&'a Labels, Option<&'a str>);

impl std::fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bound = self.1.map(|bound| ("le", bound));
        let labels = self.0.iter().map(|(name, value)| (*name, value.as_str())).chain(bound);
        let mut before = '{';
        for (name, value) in labels {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            write!(f, "{before}{name}=\"{value}\"")?;
            before = ',';
        }
        if before == ',' { f.write_str("}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn check(family: Family, expected: &expect_test::Expect) {
        let mut out = String::new();
        write(&family, &mut out);
        expected.assert_eq(&out);
    }

    #[test]
    fn numbers_stand_behind_their_labels() {
        let labels = vec![("reason", "it said \"no\"\nand \\".to_owned()), ("peer", String::new())];
        check(
            Family::counter("a_total", "A.").with(labels, 3.0),
            &expect![[r#"
                # HELP a_total A.
                # TYPE a_total counter
                a_total{reason="it said \"no\"\nand \\",peer=""} 3
            "#]],
        );
        check(
            Family::gauge("b", "B.").with(Vec::new(), 0.5),
            &expect![[r#"
                # HELP b B.
                # TYPE b gauge
                b 0.5
            "#]],
        );
        check(Family::gauge("none", "Left out."), &expect![""]);
    }

    #[test]
    fn a_histogram_counts_what_is_not_above_each_bound() {
        let mut spread = Spread::new(&[0.5, 1.0]);
        for size in [0.25, 0.5, 0.75, 8.0] {
            spread.add(size);
        }
        assert_eq!(spread.count(), 4);
        let mut family = Family::histogram("c_seconds", "C.");
        family.samples.push((vec![("verb", "GET".to_owned())], Sample::Spread(spread)));
        check(
            family,
            &expect![[r#"
                # HELP c_seconds C.
                # TYPE c_seconds histogram
                c_seconds_bucket{verb="GET",le="0.5"} 2
                c_seconds_bucket{verb="GET",le="1"} 3
                c_seconds_bucket{verb="GET",le="+Inf"} 4
                c_seconds_sum{verb="GET"} 9.5
                c_seconds_count{verb="GET"} 4
            "#]],
        );
    }
}
