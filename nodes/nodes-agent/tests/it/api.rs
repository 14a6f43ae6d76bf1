//! An API in memory: enough of one for an agent, with outages on demand.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use actors_object::{ApiError, GroupResource, Object, Value, json, value};
use nodes_client::{Client, Later, WatchStream};
use nodes_door::{Entry, Identity, List, Request, Response, ResponseBody, Verb, WatchEvent};
use store_mvcc::Revision;
use tokio::sync::{Notify, mpsc};

/// Resource, namespace, name.
type Key = (String, String, String);

/// Objects, and who watches them.
#[derive(Default)]
pub(crate) struct Api {
    objects: Mutex<BTreeMap<Key, Arc<Object>>>,
    watchers: Mutex<Vec<(String, mpsc::Sender<Vec<WatchEvent>>)>>,
    revision: AtomicU64,
    pub(crate) changed: Notify,
    is_down: AtomicBool,
    /// Requests that an outage left without an answer.
    pub(crate) refused: AtomicU64,
}

impl Api {
    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, resource: &str, mut object: Value) -> Arc<Object> {
        let revision = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        object.set_path(&["metadata", "resourceVersion"], revision.to_string());
        let object = Arc::new(Object(object));
        let key = (resource.to_owned(), object.namespace().to_owned(), object.name().to_owned());
        let is_new = self.objects.lock().unwrap().insert(key, Arc::clone(&object)).is_none();
        let entry = Entry::Made(Arc::clone(&object));
        self.tell(
            resource,
            if is_new { WatchEvent::Added(entry) } else { WatchEvent::Modified(entry) },
        );
        object
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.objects.lock().unwrap().get(&key).cloned()
    }

    pub(crate) fn all(&self, resource: &str) -> Vec<Arc<Object>> {
        let objects = self.objects.lock().unwrap();
        objects
            .iter()
            .filter(|(key, _)| key.0 == resource)
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    /// From now on nothing is answered, or everything again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
        self.watchers.lock().unwrap().clear();
    }

    /// Takes an object away, as a deletion by force does.
    pub(crate) fn take(&self, resource: &str, namespace: &str, name: &str) {
        self.revision.fetch_add(1, Ordering::SeqCst);
        self.remove(&(resource.to_owned(), namespace.to_owned(), name.to_owned())).unwrap();
    }

    fn remove(&self, key: &Key) -> Option<Arc<Object>> {
        let object = self.objects.lock().unwrap().remove(key)?;
        self.tell(&key.0, WatchEvent::Deleted(Entry::Made(Arc::clone(&object))));
        Some(object)
    }

    fn tell(&self, resource: &str, event: WatchEvent) {
        let mut watchers = self.watchers.lock().unwrap();
        watchers.retain(|(one, sender)| {
            one != resource || sender.try_send(vec![event.clone()]).is_ok()
        });
        self.changed.notify_waiters();
    }

    fn answer(&self, request: &Request) -> Result<ResponseBody, ApiError> {
        if self.is_down.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(ApiError::service_unavailable("an outage"));
        }
        let target = &request.target;
        let namespace = target.namespace.clone().unwrap_or_default();
        let name = target.name.clone().unwrap_or_default();
        let key = (target.resource.clone(), namespace, name);
        let kind = GroupResource { group: String::new(), resource: key.0.clone() };
        let absent = || ApiError::not_found(&kind, &key.2);
        let body =
            || json::from_slice(&request.body.bytes).map_err(|_| ApiError::bad_request("no JSON"));
        match request.verb {
            Verb::Create if target.subresource.as_deref() == Some("token") => {
                let token = value!({ "status": { "token": "a-token" } });
                Ok(ResponseBody::Entry(Entry::Made(Arc::new(Object(token)))))
            }
            Verb::Get => {
                let found = self.get(&key.0, &key.1, &key.2).ok_or_else(absent)?;
                Ok(ResponseBody::Entry(Entry::Made(found)))
            }
            Verb::List => Ok(ResponseBody::List(List {
                api_version: "v1".into(),
                kind: "List".into(),
                revision: Revision(self.revision.load(Ordering::SeqCst)),
                continue_token: None,
                remaining: None,
                entries: self.all(&key.0).into_iter().map(Entry::Made).collect(),
            })),
            Verb::Create => {
                let object = Object(body()?);
                if self.get(&key.0, object.namespace(), object.name()).is_some() {
                    return Err(ApiError::already_exists(&kind, object.name()));
                }
                Ok(ResponseBody::Entry(Entry::Made(self.put(&key.0, object.0))))
            }
            Verb::Patch(_) => {
                let mut object = self.get(&key.0, &key.1, &key.2).ok_or_else(absent)?.0.clone();
                merge(&mut object, &body()?);
                Ok(ResponseBody::Entry(Entry::Made(self.put(&key.0, object))))
            }
            Verb::Delete => {
                let found = self.get(&key.0, &key.1, &key.2).ok_or_else(absent)?;
                assert_eq!(request.options.grace_period_seconds, Some(0));
                assert_eq!(request.options.precondition_uid.as_deref(), Some(found.uid()));
                self.remove(&key);
                Ok(ResponseBody::Entry(Entry::Made(found)))
            }
            other => Err(ApiError::internal(format!("{other:?} is not offered here"))),
        }
    }
}

/// RFC 7386; close enough to a strategic patch for an agent that writes whole lists.
fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_map() else {
        *object = patch.clone();
        if let Some(items) = object.as_list_mut() {
            items.retain(|item| item.get("$patch").is_none());
        }
        return;
    };
    for (name, value) in fields.iter() {
        let map = object.make_map();
        if value.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.as_str(), || Value::Null), value);
        }
    }
}

/// The API as its client has it.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Api>);

impl Client for Door {
    fn call(&self, request: Request) -> Later<'_, Response> {
        let answer = match self.0.answer(&request) {
            Ok(body) => Response::new(200, body),
            Err(error) => Response::from(error),
        };
        Box::pin(async move { answer })
    }

    fn allows_url<'a>(&'a self, _: &'a Identity, _: &'a str, _: &'a str) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn watch(&self, request: Request) -> Later<'_, Result<WatchStream, ApiError>> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Box::pin(async { Err(ApiError::service_unavailable("an outage")) });
        }
        let (sender, receiver) = mpsc::channel(1_024);
        let resource = request.target.resource.clone();
        // What came between the list and this is told first; nothing can come between that and
        // this.
        let mut watchers = self.0.watchers.lock().unwrap();
        let since: u64 =
            request.options.resource_version.as_deref().unwrap_or("0").parse().unwrap();
        let missed: Vec<WatchEvent> = self
            .0
            .all(&resource)
            .into_iter()
            .filter(|object| object.resource_version().parse::<u64>().unwrap() > since)
            .map(|object| WatchEvent::Modified(Entry::Made(object)))
            .collect();
        sender.try_send(missed).unwrap();
        watchers.push((resource, sender));
        Box::pin(async move { Ok(WatchStream::new(receiver)) })
    }
}
