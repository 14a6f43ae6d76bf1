//! What a policy allows: sets of everything that can be asked, made once a policy.
//!
//! Way in: [`Model::allows`]; [`rules_allow`] reads the rules that a review told.

use actors_object::Value;

use crate::{Ask, Binding, NAMES, NAMESPACES, PEOPLE, Policy, RESOURCES, Rule, Subject, VERBS};

/// All that can be asked in one place: verbs, resources, names.
const POINTS: usize = VERBS.len() * RESOURCES.len() * NAMES.len();

type Set = [bool; POINTS];

/// What each person may do: everywhere, and in each namespace.
#[derive(Debug, Clone)]
pub struct Model {
    people: Vec<Places>,
}

#[derive(Debug, Clone)]
struct Places {
    everywhere: Set,
    namespaces: [Set; NAMESPACES.len()],
}

impl Model {
    pub(crate) fn of(policy: &Policy) -> Self {
        let sets: Vec<Set> = policy.roles.iter().map(|role| spread(&role.rules)).collect();
        let person = |who: &(&str, &[&str])| {
            let nothing = [false; POINTS];
            let mut places =
                Places { everywhere: nothing, namespaces: [nothing; NAMESPACES.len()] };
            for binding in &policy.bindings {
                let Some(role) = policy.roles.get(binding.role) else { continue };
                // A Role is found in the binding's own namespace only.
                let found = role.namespace.is_none() || role.namespace == binding.namespace;
                if !found || !binding.subjects.iter().any(|one| is_meant(one, binding, *who)) {
                    continue;
                }
                match binding.namespace {
                    None => add(&mut places.everywhere, &sets[binding.role]),
                    Some(at) => add(&mut places.namespaces[at], &sets[binding.role]),
                }
            }
            places
        };
        Self { people: PEOPLE.iter().map(person).collect() }
    }

    /// Whether the policy allows it.
    #[must_use]
    pub fn allows(&self, ask: &Ask) -> bool {
        let at = point(ask.verb, ask.resource, ask.name);
        let places = &self.people[ask.person];
        places.everywhere[at] || ask.namespace.is_some_and(|place| places.namespaces[place][at])
    }
}

fn point(verb: usize, resource: usize, name: usize) -> usize {
    (verb * RESOURCES.len() + resource) * NAMES.len() + name
}

fn add(to: &mut Set, more: &Set) {
    for (own, other) in to.iter_mut().zip(more) {
        *own |= other;
    }
}

/// Everything that some rules cover.
fn spread(rules: &[Rule]) -> Set {
    let mut set = [false; POINTS];
    for rule in rules {
        for verb in places(&VERBS, &rule.verbs) {
            for resource in resources(rule) {
                for name in names(rule) {
                    set[point(verb, resource, name)] = true;
                }
            }
        }
    }
    set
}

/// Where words stand in a table; all of it for a star.
fn places(table: &[&str], words: &[String]) -> Vec<usize> {
    let all = words.iter().any(|word| word == "*");
    (0..table.len()).filter(|at| all || words.iter().any(|word| word == table[*at])).collect()
}

fn resources(rule: &Rule) -> Vec<usize> {
    let covered = |(group, resource, sub): (&str, &str, &str)| {
        let in_group = rule.groups.iter().any(|word| word == "*" || word == group);
        let full = if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") };
        let any_with_sub = format!("*/{sub}");
        in_group
            && rule.resources.iter().any(|word| {
                word == "*" || *word == full || (!sub.is_empty() && *word == any_with_sub)
            })
    };
    (0..RESOURCES.len()).filter(|at| covered(RESOURCES[*at])).collect()
}

/// Without names all are covered, and what has none; with names only those.
fn names(rule: &Rule) -> Vec<usize> {
    match rule.names.is_empty() {
        true => (0..NAMES.len()).collect(),
        false => {
            (1..NAMES.len()).filter(|at| rule.names.iter().any(|it| it == NAMES[*at])).collect()
        }
    }
}

fn is_meant(subject: &Subject, binding: &Binding, (user, groups): (&str, &[&str])) -> bool {
    match subject {
        Subject::User(name) => user == name,
        Subject::Group(name) => name == "system:authenticated" || groups.contains(&name.as_str()),
        Subject::Account(namespace, name) => {
            let home = namespace.or(binding.namespace).map(|at| NAMESPACES[at]);
            home.is_some_and(|home| user == format!("system:serviceaccount:{home}:{name}"))
        }
    }
}

/// Whether one of the `resourceRules` of a SelfSubjectRulesReview covers a question.
#[must_use]
pub fn rules_allow(rules: &[Value], ask: &Ask) -> bool {
    let (group, resource, sub) = RESOURCES[ask.resource];
    let full = if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") };
    let any_with_sub = if sub.is_empty() { "*".to_owned() } else { format!("*/{sub}") };
    rules.iter().any(|rule| {
        let holds = |field: &str, wanted: &[&str]| {
            let mut words = rule.list_at(&[field]).iter().filter_map(Value::as_str);
            words.any(|word| wanted.contains(&word))
        };
        let names = rule.list_at(&["resourceNames"]);
        holds("verbs", &["*", ask.verb()])
            && holds("apiGroups", &["*", group])
            && holds("resources", &["*", &full, &any_with_sub])
            && (names.is_empty() || (ask.name != 0 && holds("resourceNames", &[ask.name()])))
    })
}
