//! ResourceQuota: what is charged, what is refused, and that nobody slips through.

use actors_core::{Rng, Turn, Wall};
use actors_kinds::{amounts::Amounts, quotas::Quota};
use actors_object::{GroupResource, Object, Quantity};
use expect_test::expect;
use store_catalog::Snapshot;
use store_mvcc::Key;

use super::{check, harness::Scene};
use crate::{Request, Step};

#[test]
fn objects_are_charged_with_their_creation() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {configmaps: '2', count/secrets: '0', pods: '5'}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status
        POST /api/v1/namespaces/default/configmaps?dryRun=All
          metadata: {name: b}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: b}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: c}
        POST /api/v1/namespaces/default/secrets
          metadata: {name: s}
        POST /api/v1/namespaces/default/services
          metadata: {name: s}
          spec: {ports: [{port: 80}]}
        MERGE /api/v1/namespaces/default/configmaps/a
          data: {n: '1'}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @101
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @102
              + /registry/configmaps/default/a
              + /registry/resourcequotas/default/q
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @103
                status = {"hard":{"configmaps":"2","count/secrets":"0","pods":"5"},"used":{"configmaps":"1","count/secrets":"0","pods":"0"}}
            POST /api/v1/namespaces/default/configmaps?dryRun=All
              201 ConfigMap b @
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @104
              + /registry/configmaps/default/b
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              403 Forbidden: configmaps "c" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2
            POST /api/v1/namespaces/default/secrets
              403 Forbidden: secrets "s" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=0, limited: count/secrets=0
            POST /api/v1/namespaces/default/services
              201 Service s @106
              + /registry/services/default/s
              + /registry/networking.k8s.io/ipaddresses/10.43.185.80
            MERGE /api/v1/namespaces/default/configmaps/a
              200 ConfigMap a @108
              + /registry/configmaps/default/a
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @105
                status.used = {"configmaps":"2","count/secrets":"0","pods":"0"}
        "#]],
    );
}

#[test]
fn a_quota_that_is_used_up_refuses_before_a_name_that_is_taken_does() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {configmaps: '2'}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: b}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @101
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @102
              + /registry/configmaps/default/a
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              409 AlreadyExists: configmaps "a" already exists
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap b @104
              + /registry/configmaps/default/b
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              403 Forbidden: configmaps "a" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @105
                status.used = {"configmaps":"2"}
        "#]],
    );
}

#[test]
fn a_quota_counts_what_was_there_before_it() {
    check(
        "
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: a}
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {configmaps: '1'}}
        POST /api/v1/namespaces/default/configmaps
          metadata: {name: b}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/configmaps
              201 ConfigMap a @101
              + /registry/configmaps/default/a
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @102
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/configmaps
              403 Forbidden: configmaps "b" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1
        "#]],
    );
}

#[test]
fn what_is_limited_must_be_named_and_is_summed() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {requests.cpu: '1', limits.memory: 1Gi, requests.demo.dev/gpu: '1'}}
        POST /api/v1/namespaces/default/pods
          metadata: {name: a}
          spec: {containers: [{name: c, image: i}, {name: b, image: i}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: a}
          spec: {containers: [{name: c, image: i, resources: {limits: {cpu: 700m, memory: 600Mi}}}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: b}
          spec: {containers: [{name: c, image: i, resources: {limits: {cpu: 400m, memory: 600Mi}}}]}
        POST /api/v1/namespaces/default/pods
          metadata: {generateName: b-}
          spec: {containers: [{name: c, image: i, resources: {limits: {cpu: 301m, memory: 1Mi}}}]}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @101
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "a" is forbidden: failed quota: q: must specify limits.memory for: b,c; requests.cpu for: b,c
            POST /api/v1/namespaces/default/pods
              201 Pod a @102
              + /registry/pods/default/a
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "b" is forbidden: exceeded quota: q, requested: limits.memory=600Mi,requests.cpu=400m, used: limits.memory=600Mi,requests.cpu=700m, limited: limits.memory=1Gi,requests.cpu=1
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "b-jqqn2" is forbidden: exceeded quota: q, requested: requests.cpu=301m, used: requests.cpu=700m, limited: requests.cpu=1
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @103
                status.used = {"limits.memory":"600Mi","requests.cpu":"700m","requests.demo.dev/gpu":"0"}
        "#]],
    );
}

#[test]
fn changes_that_grow_are_charged_and_those_that_shrink_are_given_back() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: q}
          spec: {hard: {services: '5', services.nodeports: '2', services.loadbalancers: '0'}}
        POST /api/v1/namespaces/default/services
          metadata: {name: s}
          spec: {ports: [{name: a, port: 80}, {name: b, port: 81}]}
        MERGE /api/v1/namespaces/default/services/s
          spec: {type: NodePort}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        POST /api/v1/namespaces/default/services
          metadata: {name: t}
          spec: {type: NodePort, ports: [{port: 80}]}
        MERGE /api/v1/namespaces/default/services/s
          spec: {type: LoadBalancer}
        MERGE /api/v1/namespaces/default/services/s
          spec: {type: ClusterIP}
        GET /api/v1/namespaces/default/resourcequotas/q
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota q @101
              + /registry/resourcequotas/default/q
            POST /api/v1/namespaces/default/services
              201 Service s @102
              + /registry/services/default/s
              + /registry/networking.k8s.io/ipaddresses/10.43.167.253
              + /registry/resourcequotas/default/q
            MERGE /api/v1/namespaces/default/services/s
              200 Service s @105
              + /registry/services/default/s
              + /registry/starling.dev/nodeports/30286
              + /registry/starling.dev/nodeports/31341
              + /registry/resourcequotas/default/q
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @108
                status.used = {"services":"1","services.loadbalancers":"0","services.nodeports":"2"}
            POST /api/v1/namespaces/default/services
              403 Forbidden: services "t" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=2, limited: services.nodeports=2
            MERGE /api/v1/namespaces/default/services/s
              403 Forbidden: services "s" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0
            MERGE /api/v1/namespaces/default/services/s
              200 Service s @109
              + /registry/services/default/s
              - /registry/starling.dev/nodeports/30286
              - /registry/starling.dev/nodeports/31341
              + /registry/resourcequotas/default/q
            GET /api/v1/namespaces/default/resourcequotas/q
              200 ResourceQuota q @112
                status.used = {"services":"1","services.loadbalancers":"0","services.nodeports":"0"}
        "#]],
    );
}

#[test]
fn a_quota_with_a_scope_is_about_some_pods_only() {
    check(
        "
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: best}
          spec: {hard: {pods: '1'}, scopes: [BestEffort]}
        POST /api/v1/namespaces/default/resourcequotas
          metadata: {name: ends}
          spec: {hard: {pods: '1', cpu: '1'}, scopes: [Terminating]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: a}
          spec: {containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: b}
          spec: {containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: b}
          spec: {containers: [{name: c, image: i, resources: {requests: {cpu: '1'}}}]}
        POST /api/v1/namespaces/default/pods
          metadata: {name: c}
          spec:
            activeDeadlineSeconds: 9
            containers: [{name: c, image: i, resources: {requests: {memory: 1Mi}}}]
        MERGE /api/v1/namespaces/default/pods/b
          spec: {activeDeadlineSeconds: 9}
        GET /api/v1/namespaces/default/resourcequotas/ends
        ? status.used
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota best @101
              + /registry/resourcequotas/default/best
            POST /api/v1/namespaces/default/resourcequotas
              201 ResourceQuota ends @102
              + /registry/resourcequotas/default/ends
            POST /api/v1/namespaces/default/pods
              201 Pod a @103
              + /registry/pods/default/a
              + /registry/resourcequotas/default/best
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "b" is forbidden: exceeded quota: best, requested: pods=1, used: pods=1, limited: pods=1
            POST /api/v1/namespaces/default/pods
              201 Pod b @105
              + /registry/pods/default/b
            POST /api/v1/namespaces/default/pods
              403 Forbidden: pods "c" is forbidden: failed quota: ends: must specify cpu for: c
            MERGE /api/v1/namespaces/default/pods/b
              200 Pod b @106
              + /registry/pods/default/b
              + /registry/resourcequotas/default/ends
            GET /api/v1/namespaces/default/resourcequotas/ends
              200 ResourceQuota ends @107
                status.used = {"cpu":"1","pods":"1"}
        "#]],
    );
}

/// One namespace, many who create, change and delete in it, and servers that are behind.
struct Storm {
    scene: Scene,
    rng: Rng,
    /// What replicas show, the newest last.
    views: Vec<Snapshot>,
    /// What was decided and is not yet applied.
    flying: Vec<Step>,
    /// How many requests were granted, and how many refused.
    answers: (u32, u32),
    with_deletions: bool,
}

const QUOTAS: &str = "
    POST /api/v1/namespaces/default/resourcequotas
      metadata: {name: all}
      spec: {hard: {pods: '9', requests.cpu: '3', count/configmaps: '8'}}
    POST /api/v1/namespaces/default/resourcequotas
      metadata: {name: best}
      spec: {hard: {pods: '3'}, scopes: [BestEffort]}
    POST /api/v1/namespaces/default/resourcequotas
      metadata: {name: ports}
      spec: {hard: {services.nodeports: '5'}}
";

impl Storm {
    fn new(seed: u64) -> Self {
        let mut scene = Scene::new();
        scene.run(QUOTAS);
        let views = vec![scene.catalog.snapshot()];
        let with_deletions = seed.is_multiple_of(2);
        let (flying, answers) = (Vec::new(), (0, 0));
        Self { scene, rng: Rng::from_number(seed), views, flying, answers, with_deletions }
    }

    fn pick(&mut self, count: usize) -> usize {
        let last = u64::try_from(count).expect("small") - 1;
        usize::try_from(self.rng.between(0, last)).expect("small")
    }

    /// A request of somebody who knows nothing of the others.
    fn request(&mut self) -> Request {
        let sorts = if self.with_deletions { 6 } else { 4 };
        let number = self.rng.between(0, 30);
        let (line, body) = match self.pick(sorts) {
            0 => ("POST /api/v1/namespaces/default/configmaps".to_owned(), named(number)),
            1 => {
                let sort = ["ClusterIP", "NodePort"][self.pick(2)];
                let body = format!(
                    "metadata: {{name: s{}}}\nspec: {{type: {sort}, ports: [{{port: 80}}]}}\n",
                    number % 8
                );
                ("POST /api/v1/namespaces/default/services".to_owned(), body)
            }
            2 => {
                let sort = ["ClusterIP", "NodePort"][self.pick(2)];
                let line = format!("MERGE /api/v1/namespaces/default/services/s{}", number % 8);
                (line, format!("spec: {{type: {sort}}}\n"))
            }
            3 => {
                let asks = ["0", "400m", "700m"][self.pick(3)];
                let body = format!(
                    "metadata: {{generateName: p-}}\nspec:\n  containers:\n  - name: c\n    \
                     image: i\n    resources: {{requests: {{cpu: {asks}}}}}\n"
                );
                ("POST /api/v1/namespaces/default/pods".to_owned(), body)
            }
            sort => {
                let all = if sort == 4 { "pods" } else { "configmaps" };
                let prefix = Key::prefix("", all, Some("default"));
                let now = self.scene.catalog.snapshot();
                let names: Vec<String> = now
                    .list(&prefix, None, usize::MAX)
                    .map(|item| item.object().name().to_owned())
                    .collect();
                let name = match names.len() {
                    0 => "none".to_owned(),
                    count => names[self.pick(count)].clone(),
                };
                (format!("DELETE /api/v1/namespaces/default/{all}/{name}"), String::new())
            }
        };
        self.scene.parse(&line, body.as_bytes())
    }

    fn begin(&mut self) {
        let request = self.request();
        let at = self.pick(self.views.len());
        let behind = self.views[at].clone();
        let step = self.scene.turn(|door, turn| {
            let mut turn = Turn { now: turn.now, rng: &mut *turn.rng, view: &behind };
            door.decide(&request, &mut turn)
        });
        self.flying.push(step);
    }

    fn advance(&mut self) {
        let at = self.pick(self.flying.len());
        match self.flying.swap_remove(at) {
            Step::Reply(response) => match response.code {
                200 | 201 => self.answers.0 += 1,
                // Taken names, and objects that are not there.
                403 | 404 | 409 => self.answers.1 += 1,
                other => panic!("{other}: {:?}", response.body),
            },
            Step::Propose { proposal, pending } => {
                let outcome = self.scene.apply(&proposal).outcome;
                let step = self.scene.turn(|door, turn| door.settle(*pending, &outcome, turn));
                self.flying.push(step);
                self.views.push(self.scene.catalog.snapshot());
                if self.views.len() > 3 {
                    self.views.remove(0);
                }
                self.judge();
            }
            other => panic!("{other:?}"),
        }
    }

    /// Nothing is beyond its quota, and every figure is that of what is there; where things are
    /// deleted it may be more, until the controller has counted.
    fn judge(&self) {
        let now = self.scene.catalog.snapshot();
        let quotas = Key::prefix("", "resourcequotas", Some("default"));
        for quota in now.list(&quotas, None, usize::MAX).map(|item| item.object()) {
            let found = count(&now, &quota);
            for (name, most) in Quota::of(&quota).hard() {
                let there = found.get(name).copied().unwrap_or(Quantity::ZERO);
                assert!(there <= *most, "{}: {there} {name} of {most}", quota.name());
                let Some(used) = quota.path(&["status", "used", name]) else { continue };
                let used = Quantity::from_value(used).expect("a quantity");
                let is_right = if self.with_deletions { used >= there } else { used == there };
                assert!(is_right, "{}: {used} {name} are told, {there} are there", quota.name());
            }
        }
    }
}

fn named(number: u64) -> String {
    format!("metadata: {{name: c{number}}}\n")
}

/// What is there of what a quota limits.
fn count(now: &Snapshot, quota: &Object) -> Amounts {
    let quota = Quota::of(quota);
    let resources = ["pods", "configmaps", "services"].map(|name| GroupResource::new("", name));
    let mut objects = Vec::new();
    for of in &resources {
        let prefix = Key::prefix("", &of.resource, Some("default"));
        objects.extend(now.list(&prefix, None, usize::MAX).map(|item| (of, item.object())));
    }
    quota.total(objects.iter().map(|(of, object)| (*of, &**object)), Wall(0))
}

#[test]
fn those_who_know_nothing_of_each_other_never_exceed_a_quota() {
    let mut answers = (0, 0);
    for seed in 0..16 {
        let mut storm = Storm::new(seed);
        let mut left = 90;
        while left > 0 || !storm.flying.is_empty() {
            let may_begin = left > 0 && storm.flying.len() < 14;
            if storm.flying.is_empty() || (may_begin && storm.rng.chance(600_000)) {
                left -= 1;
                storm.begin();
            } else {
                storm.advance();
            }
        }
        answers = (answers.0 + storm.answers.0, answers.1 + storm.answers.1);
    }
    // Both happened, or it would show nothing.
    assert!(answers.0 > 200 && answers.1 > 200, "{answers:?}");
}
