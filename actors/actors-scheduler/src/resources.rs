//! Amounts of resources: what a pod asks for, what a node has.
//!
//! Way in: [`Resources`], [`requests_of`].  Units: thousandths of a core, bytes, whole pieces of
//! extended resources.
//! Spec: Kubernetes documentation, "Resource Management for Pods and Containers"; KEP-753 (sidecar
//! containers), KEP-2837 (resources of the pod as a whole).

use actors_object::{Object, Quantity, Value};

/// Amounts by resource. Absent extended resources are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes of local disk.
    pub ephemeral: i64,
    /// Every other resource but `pods`, ordered by name.
    pub extended: Vec<(String, i64)>,
}

impl Resources {
    /// The amounts of a resource list: `{ "cpu": "500m", "memory": "1Gi" }`. What is no quantity
    /// counts as zero.
    #[must_use]
    pub fn of(list: &Value) -> Self {
        let mut found = Self::default();
        for (name, amount) in list.as_map().into_iter().flat_map(actors_object::Map::iter) {
            let amount = Quantity::from_value(amount).unwrap_or(Quantity::ZERO);
            match name.as_str() {
                "cpu" => found.cpu_milli = amount.milli(),
                "memory" => found.memory = amount.value(),
                "ephemeral-storage" => found.ephemeral = amount.value(),
                "pods" => {}
                other => found.extended.push((other.to_owned(), amount.value())),
            }
        }
        found.extended.sort();
        found
    }

    /// How much there is of an extended resource.
    #[must_use]
    pub fn extended(&self, name: &str) -> i64 {
        let found = self.extended.binary_search_by(|(own, _)| own.as_str().cmp(name));
        found.map_or(0, |index| self.extended[index].1)
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
        self.extended.retain(|(_, amount)| *amount != 0);
    }

    /// Raises each amount to at least that of `other`.
    pub fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, with: impl Fn(i64, i64) -> i64) {
        self.cpu_milli = with(self.cpu_milli, other.cpu_milli);
        self.memory = with(self.memory, other.memory);
        self.ephemeral = with(self.ephemeral, other.ephemeral);
        for (name, amount) in &other.extended {
            match self.extended.binary_search_by(|(own, _)| own.cmp(name)) {
                Ok(index) => self.extended[index].1 = with(self.extended[index].1, *amount),
                Err(index) => self.extended.insert(index, (name.clone(), with(0, *amount))),
            }
        }
    }

    /// Names of the resources of which `used` and `self` together are more than `limit`. Resources
    /// that are not asked for never lack, even where a node has been overcommitted by others.
    #[must_use]
    pub fn lacking(&self, used: &Self, limit: &Self) -> Vec<String> {
        let short =
            |asked: i64, used: i64, limit: i64| asked > 0 && used.saturating_add(asked) > limit;
        let mut names = Vec::new();
        if short(self.cpu_milli, used.cpu_milli, limit.cpu_milli) {
            names.push("cpu".to_owned());
        }
        if short(self.memory, used.memory, limit.memory) {
            names.push("memory".to_owned());
        }
        if short(self.ephemeral, used.ephemeral, limit.ephemeral) {
            names.push("ephemeral-storage".to_owned());
        }
        for (name, asked) in &self.extended {
            if short(*asked, used.extended(name), limit.extended(name)) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// What a pod asks for, and how it is weighed when nodes are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    /// What must be free on a node.
    pub asked: Resources,
    /// The same with a guess for containers that ask for no CPU or memory; only for comparing
    /// nodes.
    pub weighed: Resources,
}

/// The guess for a container that asks for no CPU.
const GUESS_CPU_MILLI: i64 = 100;
/// The guess for a container that asks for no memory.
const GUESS_MEMORY: i64 = 200 * 1024 * 1024;

/// The requests of a pod: its containers and sidecars together, or the largest step of its start if
/// that is more, and the overhead of its runtime class. What the pod as a whole asks for replaces
/// the sum.
#[must_use]
pub(crate) fn requests_of(pod: &Object) -> Requests {
    let spec = pod.spec();
    let asked = aggregate(spec, |list| list);
    let weighed = aggregate(spec, |mut list| {
        if list.cpu_milli == 0 {
            list.cpu_milli = GUESS_CPU_MILLI;
        }
        if list.memory == 0 {
            list.memory = GUESS_MEMORY;
        }
        list
    });
    Requests { asked, weighed }
}

fn aggregate(spec: &Value, guess: impl Fn(Resources) -> Resources) -> Resources {
    let of = |container: &Value| {
        guess(Resources::of(container.path(&["resources", "requests"]).unwrap_or(&Value::Null)))
    };
    let mut sidecars = Resources::default();
    let mut start = Resources::default();
    for container in spec.list_at(&["initContainers"]) {
        let mut step = of(container);
        if container.at("restartPolicy").as_str() == Some("Always") {
            sidecars.add(&step);
            start.raise_to(&sidecars);
        } else {
            step.add(&sidecars);
            start.raise_to(&step);
        }
    }
    let mut total = sidecars;
    for container in spec.list_at(&["containers"]) {
        total.add(&of(container));
    }
    total.raise_to(&start);
    let whole = spec.path(&["resources", "requests"]).unwrap_or(&Value::Null);
    let given = Resources::of(whole);
    for (name, _) in whole.as_map().into_iter().flat_map(actors_object::Map::iter) {
        match name.as_str() {
            "cpu" => total.cpu_milli = given.cpu_milli,
            "memory" => total.memory = given.memory,
            _ => {}
        }
    }
    total.add(&Resources::of(spec.at("overhead")));
    total
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    fn container(cpu: &str, sidecar: bool) -> Value {
        let mut container =
            value!({ "resources": { "requests": { "cpu": cpu, "memory": "1Mi" } } });
        if sidecar {
            container.set_path(&["restartPolicy"], "Always");
        }
        container
    }

    #[track_caller]
    fn check(spec: Value, cpu_milli: i64) {
        let mut pod = Object::default();
        pod.set_spec(spec);
        assert_eq!(requests_of(&pod).asked.cpu_milli, cpu_milli);
    }

    #[test]
    fn containers_are_summed_and_overhead_added() {
        let containers = value!([container("500m", false), container("1", false)]);
        check(value!({ "containers": containers, "overhead": { "cpu": "100m" } }), 1_600);
    }

    #[test]
    fn an_init_container_counts_as_a_maximum() {
        let init = value!([container("2", false), container("100m", false)]);
        check(value!({ "containers": [container("500m", false)], "initContainers": init }), 2_000);
    }

    #[test]
    fn a_sidecar_counts_beside_containers_and_later_init_containers() {
        let init =
            value!([container("300m", false), container("200m", true), container("900m", false)]);
        check(value!({ "containers": [container("500m", false)], "initContainers": init }), 1_100);
        let init = value!([container("200m", true)]);
        check(value!({ "containers": [container("500m", false)], "initContainers": init }), 700);
    }

    #[test]
    fn what_the_pod_asks_for_as_a_whole_replaces_the_sum() {
        let whole = value!({ "requests": { "cpu": "3" } });
        check(value!({ "containers": [container("500m", false)], "resources": whole }), 3_000);
    }

    #[test]
    fn amounts_that_lack_are_named() {
        let asked = Resources::of(&value!({ "cpu": "2", "memory": "1Gi", "demo.dev/gpu": 1 }));
        let limit =
            Resources::of(&value!({ "cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Gi" }));
        let used = Resources::of(&value!({ "cpu": "1m" }));
        assert_eq!(asked.lacking(&used, &limit), ["cpu", "demo.dev/gpu"]);
        assert_eq!(
            Resources::default().lacking(&asked, &Resources::default()),
            Vec::<String>::new()
        );
    }
}
